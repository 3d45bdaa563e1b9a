//! Graphs of neighbours: [`Graph`].

use p2p_core::Rng;
use p2p_gnutella::strategy::Overlay;
use std::collections::BTreeMap;

/// An undirected graph without loops and double edges.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Where the neighbours of each node begin.
    starts: Vec<u32>,
    neighbours: Vec<u32>,
}

/// Text is no list of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphError {
    /// This line is none, counted from 1.
    NoEdge(usize),
    /// No line is one.
    Empty,
}

impl std::fmt::Display for GraphError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoEdge(line) => write!(f, "line {line} is no edge"),
            Self::Empty => f.write_str("no edges"),
        }
    }
}

impl std::error::Error for GraphError {}

impl Graph {
    /// A graph of these edges, each named once or twice.
    #[must_use]
    pub fn of_edges(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut pairs: Vec<(u32, u32)> =
            edges.into_iter().filter(|(a, b)| a != b).flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0; nodes + 1];
        pairs.iter().for_each(|(from, _)| starts[*from as usize + 1] += 1);
        (0..nodes).for_each(|at| starts[at + 1] += starts[at]);
        Self { starts, neighbours: pairs.into_iter().map(|(_, to)| to).collect() }
    }

    /// A list of edges as SNAP has it: two numbers a line, `#` before what is none. Nodes are numbered as they come.
    ///
    /// # Errors
    /// If a line is no edge, or there is none.
    pub fn of_text(text: &str) -> Result<Self, GraphError> {
        let mut numbers = BTreeMap::new();
        let mut edges = Vec::new();
        for (at, line) in
            text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty())
        {
            let mut words = line.split_whitespace().map(str::parse::<u64>);
            let (Some(Ok(a)), Some(Ok(b)), None) = (words.next(), words.next(), words.next()) else {
                return Err(GraphError::NoEdge(at + 1));
            };
            let mut number = |name| {
                let next = numbers.len() as u32;
                *numbers.entry(name).or_insert(next)
            };
            let edge = (number(a), number(b));
            edges.push(edge);
        }
        if edges.is_empty() {
            return Err(GraphError::Empty);
        }
        Ok(Self::of_edges(numbers.len(), edges))
    }

    /// A graph drawn at random in which every node has this many neighbours: stubs are joined at random, and edges that must
    /// not be are exchanged with others until there are none.
    #[must_use]
    pub fn regular(nodes: usize, degree: usize, rng: &mut Rng) -> Self {
        let mut stubs: Vec<u32> =
            (0..nodes as u32).flat_map(|node| std::iter::repeat_n(node, degree)).collect();
        rng.shuffle(&mut stubs);
        let mut edges: Vec<(u32, u32)> = stubs.as_chunks().0.iter().map(|[a, b]| (*a, *b)).collect();
        let ordered = |(a, b): (u32, u32)| (a.min(b), a.max(b));
        let mut count = BTreeMap::new();
        edges.iter().for_each(|edge| *count.entry(ordered(*edge)).or_insert(0) += 1);
        loop {
            let bad: Vec<usize> = (0..edges.len())
                .filter(|at| edges[*at].0 == edges[*at].1 || count[&ordered(edges[*at])] > 1)
                .collect();
            if bad.is_empty() {
                return Self::of_edges(nodes, edges);
            }
            for at in bad {
                let other = rng.index(edges.len());
                for edge in [edges[at], edges[other]] {
                    *count.entry(ordered(edge)).or_insert(1) -= 1;
                }
                let (a, b) = (edges[at], edges[other]);
                if at != other {
                    (edges[at], edges[other]) = ((a.0, b.1), (b.0, a.1));
                }
                for edge in [edges[at], edges[other]] {
                    *count.entry(ordered(edge)).or_insert(0) += 1;
                }
            }
        }
    }

    /// So many edges between nodes drawn at random, and of that the largest part that hangs together.
    #[must_use]
    pub fn random(nodes: usize, edges: usize, rng: &mut Rng) -> Self {
        let mut set = std::collections::BTreeSet::new();
        while set.len() < edges {
            let (a, b) = (rng.index(nodes) as u32, rng.index(nodes) as u32);
            if a != b {
                set.insert((a.min(b), a.max(b)));
            }
        }
        Self::of_edges(nodes, set).largest_part()
    }

    fn largest_part(&self) -> Self {
        let mut part = vec![u32::MAX; self.nodes()];
        let mut sizes = Vec::new();
        for from in 0..self.nodes() {
            if part[from] != u32::MAX {
                continue;
            }
            let (mut open, mut size) = (vec![from], 0);
            part[from] = sizes.len() as u32;
            while let Some(node) = open.pop() {
                size += 1;
                for other in self.neighbours(node) {
                    if part[*other as usize] == u32::MAX {
                        part[*other as usize] = sizes.len() as u32;
                        open.push(*other as usize);
                    }
                }
            }
            sizes.push(size);
        }
        let largest = (0..sizes.len()).max_by_key(|at| sizes[*at]).unwrap_or_default() as u32;
        let mut names = vec![u32::MAX; self.nodes()];
        let mut next = 0;
        for node in (0..self.nodes()).filter(|node| part[*node] == largest) {
            names[node] = next;
            next += 1;
        }
        let kept = self.edges().filter(|(a, _)| part[*a as usize] == largest);
        Self::of_edges(next as usize, kept.map(|(a, b)| (names[a as usize], names[b as usize])))
    }

    /// How many nodes there are.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// The edges, the lower number first.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.nodes() as u32).flat_map(move |node| {
            self.neighbours(node as usize)
                .iter()
                .filter(move |other| **other > node)
                .map(move |other| (node, *other))
        })
    }

    /// The neighbours of a node.
    #[must_use]
    pub fn neighbours(&self, node: usize) -> &[u32] {
        &self.neighbours[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// A graph, and who has what is looked for.
#[derive(Clone, Debug)]
pub struct Holders<'a> {
    graph: &'a Graph,
    holds: Vec<bool>,
}

impl<'a> Holders<'a> {
    /// Nobody has anything.
    #[must_use]
    pub fn none(graph: &'a Graph) -> Self {
        Self { graph, holds: vec![false; graph.nodes()] }
    }

    /// So many nodes, drawn at random, but not this one.
    pub fn draw(&mut self, copies: usize, not: usize, rng: &mut Rng) {
        self.holds.fill(false);
        let mut left = copies.min(self.holds.len() - 1);
        while left > 0 {
            let node = rng.index(self.holds.len());
            if node != not && !std::mem::replace(&mut self.holds[node], true) {
                left -= 1;
            }
        }
    }
}

impl Overlay for Holders<'_> {
    fn nodes(&self) -> usize {
        self.graph.nodes()
    }

    fn neighbours(&self, node: usize) -> &[u32] {
        self.graph.neighbours(node)
    }

    fn holds(&self, node: usize) -> bool {
        self.holds[node]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_regular_graph_is_one() {
        for (nodes, degree) in [(10, 4), (200, 6), (33, 8)] {
            let graph = Graph::regular(nodes, degree, &mut Rng::fast_from(1));
            assert_eq!(graph.nodes(), nodes);
            for node in 0..nodes {
                assert_eq!(graph.neighbours(node).len(), degree);
                assert!(!graph.neighbours(node).contains(&(node as u32)));
            }
        }
    }

    #[test]
    fn the_lists_of_snap_are_read() {
        let graph = Graph::of_text("# Nodes: 4\n7\t9\n9\t7\n7 5\r\n5 100\n").unwrap();
        assert_eq!((graph.nodes(), graph.edges().count()), (4, 3));
        assert_eq!(graph.neighbours(0), [1, 2]);
        assert_eq!(Graph::of_text("1 2\n3\n").unwrap_err(), GraphError::NoEdge(2));
        assert_eq!(Graph::of_text("# Nodes: 0\n").unwrap_err(), GraphError::Empty);
    }
}
