//! Merkle trees: published vectors of the three formats that have them, and trees made the naive way.

use p2p_core::hash::{Hasher, Sha1, Sha256, Sha256Hash, Tiger, TigerTree};
use p2p_core::merkle::{Full, Leaves, Node, Padded, Peaks, Prefixed, ProofError, Rule, Shape, Tree};
use proptest::prelude::*;
use std::num::NonZeroU32;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn sha256(text: &str) -> Sha256Hash {
    Sha256Hash(hex(text).try_into().unwrap())
}

fn leaf<R: Rule>(bytes: &[u8]) -> Node<R> {
    let mut hasher = R::leaf();
    hasher.update(bytes);
    hasher.finish()
}

/// RFC 4648 without padding.
fn base32(bytes: &[u8]) -> String {
    let bit = |i: usize| bytes.get(i / 8).map_or(0, |byte| (byte >> (7 - i % 8)) & 1);
    (0..(bytes.len() * 8).div_ceil(5))
        .map(|at| (0..5).fold(0, |value, i| (value << 1) | bit(at * 5 + i)))
        .map(|value| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(value)] as char)
        .collect()
}

/// The vectors of the THEX draft (March 2003), section 6.
#[test]
fn thex() {
    for (content, root) in [
        (vec![], "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"),
        (vec![0], "VK54ZIEEVTWNAUI5D5RDFIL37LX2IQNSTAXFKSA"),
        (vec![b'A'; 1024], "L66Q4YVNAFWVS23X2HJIRA5ZJ7WXR3F26RSASFA"),
        (vec![b'A'; 1025], "PZMRYHGY6LTBEH63ZWAHDORHSYTLO4LEFUIKHWY"),
    ] {
        let mut leaves = Leaves::<Prefixed<Tiger>>::new(NonZeroU32::new(1024).unwrap());
        let mut peaks = Peaks::<Prefixed<Tiger>>::new();
        for part in content.chunks(7) {
            leaves.update(part, |leaf| peaks.push(leaf));
        }
        peaks.extend(leaves.finish());
        assert_eq!(base32(peaks.root().unwrap().as_ref()), root, "{} bytes", content.len());
        assert_eq!(base32(TigerTree::digest(&content).as_ref()), root, "{} bytes", content.len());
    }
}

/// The vectors that the implementations of RFC 6962 (now RFC 9162) share.
#[test]
fn certificate_transparency() {
    type Ct = Prefixed<Sha256>;
    let inputs =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::<Ct>::new();
    let mut peaks = Peaks::<Ct>::new();
    for (input, root) in inputs.into_iter().zip(roots) {
        let leaf = leaf::<Ct>(&hex(input));
        tree.push(leaf).unwrap();
        peaks.push(leaf);
        assert_eq!(tree.root(), Some(sha256(root)));
        assert_eq!(peaks.root(), Some(sha256(root)));
    }
    // The path of the first leaf among eight, as the same vectors have it.
    let path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    let proof = tree.proof(0..1).unwrap();
    assert_eq!(proof, path.map(sha256));
    let root = sha256(roots[7]);
    assert_eq!(Shape::new(8).verify::<Ct>(&root, 0, &[leaf::<Ct>(b"")], &proof), Ok(()));
}

/// Two piece layers of `bittorrent-v2-test.torrent`, the example of BEP 52, with pieces of 4 MiB: 2^8 blocks.
#[test]
fn piece_layers_of_bep_52() {
    let files: [(&str, &[&str]); 2] = [
        (
            "8e31d30f9e25c6336768e978261219c8a9ee8ba81f1bf8a07d8b84664428ccc6",
            &[
                "e9175dd85bbbcb350d0f47114554ff14bdf0430b83de7271af1f8c6103edec94",
                "ff00106b865a5d5984464cf28b2d3e36334d0e3dca354f6bd863939d5d4e219c",
            ],
        ),
        (
            "81fd3fecc5c6c39db056e91b7c73bd7bb11ec2011a21084634c01bfe2405eaf9",
            &[
                "b7b3a957e80db628d0d49f75691157da8e7b10a7b8db377ea5f11d97e112481c",
                "4cc961a734bdb8a5ee0c0a6e869d2fa215619870adada5c8d7fac04fc50a7059",
                "aad695232416104a845cc12c52015689816468e5275444d73af1034cf824fe5c",
                "659c709937a78866bab707bda756192a8e8ce77e717ec4bbde0d67324b819685",
                "95f2ef2d122c528ffeb1e4cb8094c5935df389a7c7f1f95283701caa494f4399",
                "357ec3a4e34a2eb36a731a1d8109803b58efab9393056256314969fc3f438759",
                "aece17fa120fb86be274e57914ecace6b55f01285365519ca035633288a4c807",
            ],
        ),
    ];
    for (root, layer) in files {
        let root = sha256(root);
        let layer: Vec<_> = layer.iter().map(|hash| sha256(hash)).collect();
        let mut peaks = Peaks::<Padded<Sha256>>::at_height(8);
        peaks.extend(layer.iter().copied());
        assert_eq!(peaks.root(), Some(root));
        let tree = Tree::<Padded<Sha256>>::from_layer(8, layer.clone());
        assert_eq!(tree.root(), Some(root));
        for (piece, hash) in (0..).zip(&layer) {
            let proof = tree.proof(piece..piece + 1).unwrap();
            let shape = Shape::new(layer.len() as u64).at_height(8);
            assert_eq!(shape.verify::<Padded<Sha256>>(&root, piece, &[*hash], &proof), Ok(()));
            let lie = shape.verify::<Padded<Sha256>>(&root, piece, &[sha256(&"00".repeat(32))], &proof);
            assert_eq!(lie, Err(ProofError::Root));
        }
    }
}

/// The whole of the odd leaf's rule, said as RFC 9162 says it: left of the largest power of two, right of it.
fn naive_prefixed<R: Rule>(leaves: &[Node<R>]) -> Node<R> {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            R::node(&naive_prefixed::<R>(left), &naive_prefixed::<R>(right))
        }
    }
}

/// Said as BEP 52 says it: padded to a power of two, then halves.
fn naive_padded<R: Rule>(leaves: &[Node<R>], padding: Node<R>) -> Node<R> {
    let mut padded = leaves.to_vec();
    padded.resize(leaves.len().next_power_of_two(), padding);
    match padded.as_slice() {
        [leaf] => *leaf,
        all => {
            let (left, right) = all.split_at(all.len() / 2);
            R::node(&naive_padded::<R>(left, padding), &naive_padded::<R>(right, padding))
        }
    }
}

type Plain = Padded<Sha1>;
type Marked = Prefixed<Sha1>;

fn leaves<R: Rule>(count: u64) -> Vec<Node<R>> {
    (0..count).map(|i| leaf::<R>(&i.to_be_bytes())).collect()
}

fn padding(height: u32) -> Node<Plain> {
    (0..height).fold(Node::<Plain>::default(), |below, _| Plain::node(&below, &below))
}

fn whole<R: Rule>(base: u32, leaves: &[Node<R>]) -> (Tree<R>, Peaks<R>) {
    let mut peaks = Peaks::at_height(base);
    peaks.extend(leaves.iter().copied());
    (Tree::from_layer(base, leaves.to_vec()), peaks)
}

#[test]
fn nothing_and_limits() {
    let mut tree = Tree::<Plain>::new().limited(2);
    assert_eq!((tree.root(), tree.proof(0..1), tree.node(0, 0)), (None, None, None));
    assert_eq!(Peaks::<Plain>::new().root_at(5), None);
    assert!(!tree.set(0, Default::default()));
    for leaf in leaves::<Plain>(2) {
        tree.push(leaf).unwrap();
    }
    assert_eq!(tree.push(Default::default()), Err(Full));
    assert_eq!(tree.shape(), Shape::new(2));
    // A shape of any size is only numbers, and its height that of its leaves.
    let vast = Shape::new(u64::MAX);
    assert_eq!((vast.height(), vast.proof_len(0..1), vast.width(64)), (64, Some(64), 1));
    let root = leaf::<Plain>(b"");
    let proof = vec![root; 64];
    assert_eq!(vast.verify::<Plain>(&root, u64::MAX, &[root, root], &proof), Err(ProofError::Range));
    assert_eq!(vast.verify::<Plain>(&root, 0, &[], &proof), Err(ProofError::Range));
    assert_eq!(vast.verify::<Plain>(&root, 0, &[root], &proof[1..]), Err(ProofError::Length));
    assert_eq!(vast.verify::<Plain>(&root, 0, &[root], &proof), Err(ProofError::Root));
}

#[test]
fn padding_is_there_where_messages_carry_it() {
    let mut tree = Tree::<Plain>::from_layer(3, leaves::<Plain>(5));
    assert_eq!(tree.node(0, 7), Some(padding(3)));
    assert_eq!(tree.node(1, 3), Some(padding(4)));
    assert_eq!(tree.node(3, 0), tree.root());
    assert_eq!((tree.node(0, 8), tree.node(2, 2), tree.node(4, 0)), (None, None, None));
    let mut tree = Tree::<Marked>::from_leaves(leaves::<Marked>(5));
    assert_eq!((tree.node(0, 5), tree.node(2, 1)), (None, Some(leaf::<Marked>(&4u64.to_be_bytes()))));
}

/// Two replicas with a few different records find them by the nodes on the way alone.
#[test]
fn two_stores_compare_from_the_root_down() {
    let ours = Tree::<Marked>::from_leaves(leaves::<Marked>(1 << 12));
    let mut theirs = Tree::<Marked>::from_leaves(leaves::<Marked>(1 << 12));
    for index in [5, 6, 4_000] {
        assert!(theirs.set(index, leaf::<Marked>(b"newer")));
    }
    let (mut differ, mut told) = (vec![0], 1);
    for height in (0..12).rev() {
        let mut below = Vec::new();
        for index in differ {
            let pair = &theirs.layer(height)[2 * index as usize..][..2];
            told += pair.len();
            below.extend(ours.differing(height, 2 * index, pair));
        }
        differ = below;
    }
    assert_eq!(differ, [5, 6, 4_000]);
    assert!(told <= 1 + 3 * 12 * 2, "{told} digests");
}

proptest! {

    #[test]
    fn as_the_naive_trees_are(count in 1u64..70, base in 0u32..6) {
        let all = leaves::<Marked>(count);
        let (tree, peaks) = whole::<Marked>(base, &all);
        prop_assert_eq!(tree.root(), Some(naive_prefixed::<Marked>(&all)));
        prop_assert_eq!(peaks.root(), tree.root());
        prop_assert_eq!(peaks.root_at(64), tree.root());
        let all = leaves::<Plain>(count);
        let (tree, peaks) = whole::<Plain>(base, &all);
        prop_assert_eq!(tree.root(), Some(naive_padded::<Plain>(&all, padding(base))));
        prop_assert_eq!(peaks.root(), tree.root());
    }

    /// The layer in the middle of a tree is the leaves of one with the same root, whoever makes its last node.
    #[test]
    fn a_layer_has_the_root_of_its_tree(count in 9u64..70, height in 1u32..4) {
        let blocks = leaves::<Plain>(count);
        let (tree, _) = whole::<Plain>(0, &blocks);
        let pieces: Vec<_> = blocks
            .chunks(1 << height)
            .map(|piece| whole::<Plain>(0, piece).1.root_at(height).unwrap())
            .collect();
        prop_assert_eq!(tree.layer(height), &pieces[..]);
        prop_assert_eq!(Tree::<Plain>::from_layer(height, pieces).root(), tree.root());
    }

    #[test]
    fn grown_or_changed_is_as_made_at_once(count in 1u64..40, changes in prop::collection::vec((0usize..40, any::<u64>()), 0..8)) {
        let mut all = leaves::<Plain>(count);
        let mut grown = Tree::<Plain>::new();
        for leaf in &all {
            grown.push(*leaf).unwrap();
        }
        for (index, value) in changes {
            let new = leaf::<Plain>(&value.to_be_bytes());
            prop_assert_eq!(grown.set(index, new), index < all.len());
            if let Some(slot) = all.get_mut(index) {
                *slot = new;
            }
        }
        let made = Tree::<Plain>::from_leaves(all);
        for height in 0..=made.shape().height() {
            prop_assert_eq!(grown.layer(height), made.layer(height));
        }
        prop_assert_eq!(grown.shape(), made.shape());
    }

    #[test]
    fn every_range_is_proven_and_nothing_else_is(
        count in 1u64..40, at in any::<prop::sample::Index>(), len in any::<prop::sample::Index>(),
        lie in any::<prop::sample::Index>(), base in 0u32..3,
    ) {
        let start = at.index(count as usize) as u64;
        let end = start + 1 + len.index((count - start) as usize) as u64;
        proven::<Marked>(count, start, end, lie, 0)?;
        proven::<Plain>(count, start, end, lie, base)?;
    }

    #[test]
    fn bytes_in_any_parts_are_the_same_leaves(parts in prop::collection::vec(0usize..50, 0..20), leaf_len in 1u32..40) {
        let total: usize = parts.iter().sum();
        let content: Vec<u8> = (0..total).map(|i| i as u8).collect();
        let mut cutter = Leaves::<Plain>::new(NonZeroU32::new(leaf_len).unwrap());
        let (mut found, mut rest) = (Vec::new(), content.as_slice());
        for part in parts {
            let (now, later) = rest.split_at(part);
            cutter.update(now, |leaf| found.push(leaf));
            rest = later;
        }
        found.extend(cutter.finish());
        let right: Vec<_> = content.chunks(leaf_len as usize).map(leaf::<Plain>).collect();
        prop_assert_eq!(found, right);
    }

    /// Whatever a stranger says of a tree is judged in steps that follow from its length.
    #[test]
    fn any_proof_is_judged(
        count in any::<u64>(), first in any::<u64>(),
        rows in prop::collection::vec(any::<[u8; 20]>(), 0..4), proof in prop::collection::vec(any::<[u8; 20]>(), 0..130),
    ) {
        let node = p2p_core::hash::Sha1Hash;
        let (rows, proof): (Vec<_>, Vec<_>) = (rows.into_iter().map(node).collect(), proof.into_iter().map(node).collect());
        let root = leaf::<Plain>(b"no such tree");
        prop_assert!(Shape::new(count).at_height(7).verify::<Plain>(&root, first, &rows, &proof).is_err());
        let needed = Shape::new(count).proof_len(first..first.saturating_add(1));
        prop_assert!(needed.is_none_or(|len| len <= 128));
    }
}

fn proven<R: Rule>(
    count: u64,
    start: u64,
    end: u64,
    lie: prop::sample::Index,
    base: u32,
) -> Result<(), TestCaseError> {
    let all = leaves::<R>(count);
    let (tree, _) = whole::<R>(base, &all);
    let root = tree.root().unwrap();
    let shape = tree.shape();
    let range = &all[start as usize..end as usize];
    let proof = tree.proof(start..end).unwrap();
    prop_assert_eq!(Some(proof.len()), shape.proof_len(start..end));
    prop_assert_eq!(shape.verify::<R>(&root, start, range, &proof), Ok(()));
    // One digest changed, anywhere, and it is no proof any more.
    let at = lie.index(range.len() + proof.len());
    let (mut false_range, mut false_proof) = (range.to_vec(), proof.clone());
    match at.checked_sub(range.len()) {
        None => false_range[at] = leaf::<R>(b"a lie"),
        Some(at) => false_proof[at] = leaf::<R>(b"a lie"),
    }
    prop_assert_eq!(shape.verify::<R>(&root, start, &false_range, &false_proof), Err(ProofError::Root));
    let mut long = proof;
    long.push(root);
    prop_assert_eq!(shape.verify::<R>(&root, start, range, &long), Err(ProofError::Length));
    prop_assert_eq!(tree.proof(start..start), None);
    prop_assert_eq!(tree.proof(start..count + 1), None);
    // Elsewhere in the tree the same leaves prove nothing.
    if start > 0 {
        prop_assert!(
            shape
                .verify::<R>(&root, start - 1, range, tree.proof(start - 1..end - 1).unwrap().as_slice())
                .is_err()
        );
    }
    Ok(())
}
