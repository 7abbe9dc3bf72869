use crate::servers::postgres::{Node, Pair};
#[test]
fn pair_starts() {
    let t = std::time::Instant::now();
    let pair = Pair::start();
    eprintln!("start {:?}", t.elapsed());
    pair.psql(Node::Fra, "create table t(a int)");
    let t = std::time::Instant::now();
    pair.kill(Node::Fra);
    eprintln!("kill {:?}", t.elapsed());
    let t = std::time::Instant::now();
    pair.start_again(Node::Fra);
    eprintln!("again {:?}", t.elapsed());
    let t = std::time::Instant::now();
    pair.await_streaming(Node::Dub);
    pair.hold_back(Node::Dub);
    eprintln!("hold {:?}", t.elapsed());
    let t = std::time::Instant::now();
    drop(pair);
    eprintln!("drop {:?}", t.elapsed());
}
