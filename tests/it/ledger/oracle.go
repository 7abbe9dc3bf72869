// The oracle: golang.org/x/mod/sumdb/tlog and note. It prints what is right for trees whose leaf n is the text "entry n",
// and then reads a ledger's folder through its tiles.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The stored hashes of a tree that grows.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, index := range indexes {
		out = append(out, s[index])
	}
	return out, nil
}

func digest(proof []tlog.Hash, into []byte) []byte {
	for _, hash := range proof {
		into = append(into, hash[:]...)
	}
	return into
}

func size(n int64, hashes stored, indexes func(int64) []int64) {
	root, err := tlog.TreeHash(n, hashes)
	must(err)
	var inclusion, consistency []byte
	for _, index := range indexes(n) {
		proof, err := tlog.ProveRecord(n, index, hashes)
		must(err)
		inclusion = digest(proof, inclusion)
		tree, err := tlog.ProveTree(n, index+1, hashes)
		must(err)
		consistency = digest(tree, consistency)
	}
	fmt.Printf("size %d %x %x %x\n", n, root[:], sha256.Sum256(inclusion), sha256.Sum256(consistency))
}

func every(n int64) []int64 {
	var all []int64
	for index := int64(0); index < n; index++ {
		all = append(all, index)
	}
	return all
}

func some(n int64) []int64 {
	return []int64{0, 1, 254, 255, 256, 257, 4095, 32767, 32768, 65279, n - 2, n - 1}
}

// Tiles of a ledger's folder.
type folder struct{ path string }

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		// Go writes the height into the path: tile/8/0/000.
		path := f.path + "/tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, bytes)
	}
	return out, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	var hashes stored
	for n := int64(0); n < 65538; n++ {
		more, err := tlog.StoredHashes(n, []byte(fmt.Sprintf("entry %d", n)), hashes)
		must(err)
		hashes = append(hashes, more...)
		switch now := n + 1; {
		case now <= 600:
			size(now, hashes, every)
		case now >= 65535:
			size(now, hashes, some)
		}
	}
	verifier, err := note.NewVerifier(os.Args[2])
	must(err)
	bytes, err := os.ReadFile(os.Args[1] + "/checkpoint")
	must(err)
	checkpoint, err := note.Open(bytes, note.VerifierList(verifier))
	must(err)
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(checkpoint.Text, "\n", 2)[1]))
	must(err)
	reader := tlog.TileHashReader(tree, folder{os.Args[1]})
	for index := int64(0); index < tree.N; index++ {
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		must(err)
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]))
		fmt.Printf("leaf %d %x\n", index, leaf[0][:])
	}
	fmt.Println("ledger", tree.N)
}
