//! What stores share: settings and types.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use hashbrown::HashMap;

use super::Config;
use crate::error::{Misuse, Result};
use crate::heap::GcHeap;
use crate::object::ObjectType;
use crate::types::{ConcreteType, RegisteredType, TypeRegistry};

/// Settings and types, shared by modules and stores. Cloning gives another handle to the same engine.
///
/// ```
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::HeapConfig;
/// use tumulus::store::{Config, Engine};
/// use tumulus::types::{StructType, SubType};
///
/// let mut config = Config::new();
/// config.collector(BuiltinCollector::MarkRegion).heap(HeapConfig { max_bytes: 64 << 20, ..HeapConfig::default() });
/// let engine = Engine::new(&config)?;
/// let unit = engine.types().register(vec![SubType::new(StructType::new([]))])?.get(0);
/// let object = engine.object_type(&unit).expect("a struct type has objects");
/// assert_eq!(object.as_struct().map(|layout| layout.size), Some(8));
/// assert!(Engine::default().object_type(&unit).is_none(), "a type of another engine");
/// config.heap(HeapConfig { max_bytes: 1, ..HeapConfig::default() });
/// assert!(Engine::new(&config).is_err());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    types: TypeRegistry,
    /// Layouts that are in use somewhere, by type index. A weak entry that is alive keeps its type registered, so
    /// that its index cannot be another type's.
    objects: RwLock<HashMap<u32, Weak<ObjectType>>>,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn new(config: &Config) -> Result<Engine> {
        config.heap.validate()?;
        Ok(Engine {
            inner: Arc::new(Inner {
                config: config.clone(),
                types: TypeRegistry::new(),
                objects: RwLock::new(HashMap::new()),
            }),
        })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The types of all modules of this engine.
    #[must_use]
    pub fn types(&self) -> &TypeRegistry {
        &self.inner.types
    }

    /// Whether both are handles to the same engine.
    #[must_use]
    pub fn same(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Checks that a type is one of this engine's.
    #[inline]
    pub(super) fn check(&self, named: ConcreteType) -> Result<(), Misuse> {
        if named.registry == self.types().id() { Ok(()) } else { Err(Misuse::ForeignEngine) }
    }

    /// The layout of a struct or array type; `None` for a function type, and for a type of another engine.
    #[must_use]
    pub fn object_type(&self, ty: &RegisteredType) -> Option<Arc<ObjectType>> {
        // Supertypes are at most 63 deep.
        self.laid_out(ty, || ObjectType::new(ty, |parent| self.object_type(parent)))
    }

    /// The layout of the exceptions whose tags have the function type `ty`; `None` for a struct or array type, and for
    /// a type of another engine.
    #[must_use]
    pub fn exception_type(&self, ty: &RegisteredType) -> Option<Arc<ObjectType>> {
        self.laid_out(ty, || ObjectType::exception(ty))
    }

    /// The layout of `ty` that is in use, or else the one that `make` gives.
    fn laid_out(&self, ty: &RegisteredType, make: impl FnOnce() -> Option<ObjectType>) -> Option<Arc<ObjectType>> {
        if !ty.registry().same(&self.inner.types) {
            return None;
        }
        let index = ty.index().bits();
        let known =
            self.inner.objects.read().unwrap_or_else(PoisonError::into_inner).get(&index).and_then(Weak::upgrade);
        if known.is_some() {
            return known;
        }
        let object = Arc::new(make()?);
        let mut objects = self.inner.objects.write().unwrap_or_else(PoisonError::into_inner);
        if objects.len() == objects.capacity() {
            objects.retain(|_, object| object.strong_count() > 0);
        }
        objects.insert(index, Arc::downgrade(&object));
        Some(object)
    }

    /// A new heap as this engine is configured.
    pub(super) fn new_heap(&self) -> Result<GcHeap> {
        let Config { collector, heap, memory_creator, .. } = &self.inner.config;
        GcHeap::new(heap.clone(), collector.create(), Arc::clone(memory_creator))
    }
}

impl Default for Engine {
    /// An engine with the default settings.
    fn default() -> Engine {
        Engine::new(&Config::new()).expect("the default settings make sense")
    }
}
