// Verifies a cosigned checkpoint with Go's own libraries: the note with golang.org/x/mod/sumdb/note, the cosignature as
// c2sp.org/tlog-cosignature says, with crypto/ed25519.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

type cosigner struct {
	name string
	key  ed25519.PublicKey
	time uint64
}

func (c *cosigner) Name() string { return c.name }
func (c *cosigner) KeyHash() uint32 {
	h := sha256.Sum256(append([]byte(c.name+"\n\x04"), c.key...))
	return binary.BigEndian.Uint32(h[:4])
}
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	c.time = binary.BigEndian.Uint64(sig[:8])
	text := fmt.Sprintf("cosignature/v1\ntime %d\n%s", c.time, msg)
	return ed25519.Verify(c.key, []byte(text), sig[8:])
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	bytes, err := os.ReadFile(os.Args[1])
	must(err)
	log, err := note.NewVerifier(os.Args[2])
	must(err)
	parts := strings.SplitN(os.Args[3], "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	if raw[0] != 4 {
		must(fmt.Errorf("the key has type %d", raw[0]))
	}
	witness := &cosigner{name: parts[0], key: raw[1:]}
	if fmt.Sprintf("%08x", witness.KeyHash()) != parts[1] {
		must(fmt.Errorf("the key has another id"))
	}
	n, err := note.Open(bytes, note.VerifierList(log, witness))
	must(err)
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		must(fmt.Errorf("%d lines hold and %d are unknown", len(n.Sigs), len(n.UnverifiedSigs)))
	}
	fmt.Printf("%d\n%s", witness.time, n.Text)
}
