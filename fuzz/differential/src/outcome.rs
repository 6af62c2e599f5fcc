//! What a module did, in words that both engines have.

/// A value; of a reference, what every engine must agree on.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    I32(i32),
    I64(i64),
    /// The bits, with one NaN for all.
    F32(u32),
    F64(u64),
    V128(u128),
    Null,
    I31(i32),
    Object(&'static str),
}

impl Value {
    pub fn f32(bits: u32) -> Value {
        Value::F32(if f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits })
    }

    pub fn f64(bits: u64) -> Value {
        Value::F64(if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits })
    }
}

/// Why a guest stopped. The two null references are one: which instruction was first is not for the other to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    UninitializedElement,
    BadSignature,
    IntegerOverflow,
    DivisionByZero,
    BadConversion,
    Null,
    ArrayOutOfBounds,
    Cast,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Returned(Vec<Value>),
    Trapped(Kind),
    /// With an exception that nobody caught.
    Thrown,
    /// For want of memory, stack or time, of which engines have different amounts.
    Exhausted,
}

/// An argument; numbers are the same everywhere.
#[derive(Clone, Debug)]
pub enum Arg {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    /// Zero, or null.
    Default,
}

/// A call of an export.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: String,
    pub args: Vec<Arg>,
}

/// Everything there is to compare.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The instantiation's, without values, and those of the calls; none after one that was exhausted.
    pub answers: Vec<Answer>,
    /// Exported globals at the end, by name.
    pub globals: Vec<(String, Value)>,
    /// Exported memories at the end, by name.
    pub memories: Vec<(String, Vec<u8>)>,
}

impl Outcome {
    /// Whether nothing can be said of what comes next.
    pub fn is_exhausted(&self) -> bool {
        self.answers.last() == Some(&Answer::Exhausted)
    }

    pub fn same(found: &Outcome, wanted: &Outcome) -> Result<(), String> {
        for (number, (found, wanted)) in found.answers.iter().zip(&wanted.answers).enumerate() {
            if [found, wanted].contains(&&Answer::Exhausted) {
                return Ok(());
            }
            if found != wanted {
                return Err(format!("answer {number} is {found:?}, on Wasmtime {wanted:?}"));
            }
        }
        if found.is_exhausted() || wanted.is_exhausted() {
            return Ok(());
        }
        if found.answers.len() != wanted.answers.len() {
            return Err(format!("{} answers, on Wasmtime {}", found.answers.len(), wanted.answers.len()));
        }
        if found.globals != wanted.globals {
            return Err(format!("globals are {:?}, on Wasmtime {:?}", found.globals, wanted.globals));
        }
        for ((name, found), (_, wanted)) in found.memories.iter().zip(&wanted.memories) {
            if found != wanted {
                let at = found.iter().zip(wanted).position(|(found, wanted)| found != wanted);
                return Err(format!("memory {name} of {} and {} bytes differs at {at:?}", found.len(), wanted.len()));
            }
        }
        Ok(())
    }
}
