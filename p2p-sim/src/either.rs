//! Two kinds of machine in one simulation: a server and its clients, or a node and what attacks it.

use core::fmt;
use p2p_core::{Cx, Effect, Input, Machine, OpId, OpInput, Own};

/// One of two. As a machine, it is the one or the other, and so are its commands, events, errors and timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Either<L, R> {
    /// The first kind.
    Left(L),
    /// The second kind.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// The first kind, if it is one.
    pub const fn left(&self) -> Option<&L> {
        match self {
            Self::Left(left) => Some(left),
            Self::Right(_) => None,
        }
    }

    /// The second kind, if it is one.
    pub const fn right(&self) -> Option<&R> {
        match self {
            Self::Left(_) => None,
            Self::Right(right) => Some(right),
        }
    }

    /// The first kind, to be changed.
    pub const fn left_mut(&mut self) -> Option<&mut L> {
        match self {
            Self::Left(left) => Some(left),
            Self::Right(_) => None,
        }
    }

    /// The second kind, to be changed.
    pub const fn right_mut(&mut self) -> Option<&mut R> {
        match self {
            Self::Left(_) => None,
            Self::Right(right) => Some(right),
        }
    }

    fn into_left(self) -> Option<L> {
        match self {
            Self::Left(left) => Some(left),
            Self::Right(_) => None,
        }
    }

    fn into_right(self) -> Option<R> {
        match self {
            Self::Left(_) => None,
            Self::Right(right) => Some(right),
        }
    }
}

impl<L: fmt::Display, R: fmt::Display> fmt::Display for Either<L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(left) => left.fmt(f),
            Self::Right(right) => right.fmt(f),
        }
    }
}

impl<L: core::error::Error, R: core::error::Error> core::error::Error for Either<L, R> {}

/// Why an operation on one of two kinds failed.
#[derive(Debug, thiserror::Error)]
pub enum EitherError<L: core::error::Error, R: core::error::Error> {
    /// The machine said so.
    #[error("{0}")]
    Of(Either<L, R>),
    /// The command was for the other kind.
    #[error("the command is for the other kind of machine")]
    OtherKind,
}

type Failed<L, R> = EitherError<<L as Machine>::Error, <R as Machine>::Error>;

impl<L: Machine, R: Machine> Machine for Either<L, R> {
    type Command = Either<L::Command, R::Command>;
    type Event = Either<L::Event, R::Event>;
    type Error = Failed<L, R>;
    type Timer = Either<L::Timer, R::Timer>;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        // A command for the other kind ends at once.
        let asked = match &input {
            Input::Op(op, OpInput::Ask(_)) => Some(*op),
            _ => None,
        };
        let taken = match self {
            Self::Left(machine) => give(
                machine,
                input.narrow(Either::into_left, Either::into_left),
                cx,
                Either::Left,
                Either::Left,
                Either::Left,
            ),
            Self::Right(machine) => give(
                machine,
                input.narrow(Either::into_right, Either::into_right),
                cx,
                Either::Right,
                Either::Right,
                Either::Right,
            ),
        };
        if let (false, Some(op)) = (taken, asked) {
            cx.finish(op, Err(EitherError::OtherKind));
        }
    }
}

/// Gives a part its input and restates its effects; `false` if the input was not for it.
fn give<L: Machine, R: Machine, M: Machine>(
    machine: &mut M,
    input: Option<Input<M>>,
    cx: &mut Cx<'_, Either<L, R>>,
    timer: impl Fn(M::Timer) -> Either<L::Timer, R::Timer>,
    event: impl Fn(M::Event) -> Either<L::Event, R::Event>,
    error: impl Fn(M::Error) -> Either<L::Error, R::Error>,
) -> bool {
    let Some(input) = input else { return false };
    let mut effects = Vec::new();
    cx.lend(&mut effects, |cx| machine.handle(input, cx));
    for effect in effects {
        let own = |own| {
            Some(match own {
                Own::Event(op, told) => Effect::<Either<L, R>>::Event(op, event(told)),
                Own::Finish(op, result) => finish::<L, R>(op, result.map_err(&error)),
                Own::Halt => Effect::Halt,
            })
        };
        if let Some(effect) = effect.lift(&timer, own) {
            cx.push(effect);
        }
    }
    true
}

fn finish<L: Machine, R: Machine>(
    op: OpId,
    result: Result<(), Either<L::Error, R::Error>>,
) -> Effect<Either<L, R>> {
    Effect::Finish(op, result.map_err(EitherError::Of))
}
