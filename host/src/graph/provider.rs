//! What computes: execution providers, named, ordered and registered strictly.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::library;
use crate::error::{Error, Result};

/// One thing that can compute a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor. Always there.
    Cpu,
    /// An NVIDIA device, by number. Needs the library of `onnxruntime-gpu`, CUDA 13 and cuDNN 9.
    Cuda {
        /// As `nvidia-smi` counts them.
        device: u32,
    },
    /// Apple's Core ML. Of use for encoders with fixed shapes; it takes neither empty caches nor 4-bit weights.
    CoreMl,
}

impl Provider {
    /// Registers it, so that a failure is seen.
    fn register(self, builder: SessionBuilder) -> Result<SessionBuilder> {
        let registered = match self {
            // It is part of every session, and naming it would only turn its memory arena off.
            Self::Cpu => return Ok(builder),
            Self::Cuda { device } => {
                builder.with_execution_providers([cuda(device)?.error_on_failure()])
            }
            Self::CoreMl => builder.with_execution_providers([core_ml()?.error_on_failure()]),
        };
        registered.map_err(|cause| self.refused(ort::Error::from(cause)))
    }

    /// Really starts it, on a graph of one node.
    fn start(self) -> Result<()> {
        let builder =
            Session::builder(library::environment()?).map_err(|cause| self.refused(cause))?;
        let mut builder = self.register(builder)?;
        builder
            .commit_from_memory(&IDENTITY)
            .map_err(|cause| self.refused(cause))?;
        Ok(())
    }

    fn refused(self, cause: ort::Error) -> Error {
        let library = library::initialize()
            .map(|info| info.path.display().to_string())
            .unwrap_or_default();
        let detail = format!(
            "cannot start with {library}; {}",
            self.cure(cause.message())
        );
        Error::unsupported(format!("provider {self}"), detail).with_source(cause)
    }

    fn cure(self, cause: &str) -> &'static str {
        match self {
            Self::Cuda { .. } if cause.contains("not enabled in this build") => {
                "that is the library for the CPU alone; set ORT_DYLIB_PATH to the library inside an installed \
                 `pip install onnxruntime-gpu==1.31.1`, or use provider cpu"
            }
            Self::Cuda { .. } => {
                "see that `nvidia-smi` lists the device and that the folders of CUDA 13 and cuDNN 9 are in \
                 LD_LIBRARY_PATH, or use provider cpu"
            }
            Self::CoreMl => "use macOS with the library for it, or provider cpu",
            Self::Cpu => "use another library",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { device } => write!(f, "cuda:{device}"),
            Self::CoreMl => f.write_str("coreml"),
        }
    }
}

impl FromStr for Provider {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            Error::invalid(
                format!("provider {text:?}"),
                "expected cpu, cuda, cuda:0 or coreml",
            )
        };
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda { device: 0 }),
            None if text == "coreml" => Ok(Self::CoreMl),
            Some(("cuda", device)) => device
                .parse()
                .map(|device| Self::Cuda { device })
                .map_err(|_| unknown()),
            Some(_) | None => Err(unknown()),
        }
    }
}

/// An ordered list: each provider takes the nodes that it can, and the processor takes those that are left.
///
/// ```
/// # use lapidary::Providers;
/// let providers: Providers = "cuda:0,cpu".parse()?;
/// assert_eq!(providers.to_string(), "cuda:0,cpu");
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Providers {
    /// `None` is `auto`.
    list: Option<Vec<Provider>>,
}

impl Providers {
    /// CUDA when it starts, else the processor; [`Runtime::provider`](crate::Runtime::provider) tells which.
    pub fn auto() -> Self {
        Self { list: None }
    }

    /// # Errors
    /// `Invalid` for an empty list, one named twice, or one behind the processor, which takes every node.
    pub fn new(list: Vec<Provider>) -> Result<Self> {
        let twice = (1..list.len()).find(|index| list[..*index].contains(&list[*index]));
        let behind = list
            .iter()
            .position(|provider| *provider == Provider::Cpu)
            .filter(|at| at + 1 < list.len());
        match (list.is_empty(), twice, behind) {
            (true, ..) => Err(Error::invalid(
                "providers",
                "expected at least one, found none; try cpu",
            )),
            (_, Some(at), _) => Err(Error::invalid(
                "providers",
                format!("{} is named twice", list[at]),
            )),
            (.., Some(_)) => Err(Error::invalid(
                "providers",
                "cpu takes every node, so it has to be the last",
            )),
            (false, None, None) => Ok(Self { list: Some(list) }),
        }
    }

    /// The list to register, `auto` decided.
    pub(super) fn chosen(&self) -> Vec<Provider> {
        static AUTO: OnceLock<Vec<Provider>> = OnceLock::new();
        let cuda = Provider::Cuda { device: 0 };
        let decide = || {
            if cuda.start().is_ok() {
                vec![cuda, Provider::Cpu]
            } else {
                vec![Provider::Cpu]
            }
        };
        self.list
            .clone()
            .unwrap_or_else(|| AUTO.get_or_init(decide).clone())
    }
}

impl Default for Providers {
    fn default() -> Self {
        Self {
            list: Some(vec![Provider::Cpu]),
        }
    }
}

impl fmt::Display for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(list) = &self.list else {
            return f.write_str("auto");
        };
        let names: Vec<String> = list.iter().map(Provider::to_string).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Providers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "auto" {
            return Ok(Self::auto());
        }
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Self::new(names.map(str::parse).collect::<Result<_>>()?)
    }
}

/// Every provider, and whether it really starts here; for `doctor`.
pub fn available() -> Vec<(Provider, Result<()>)> {
    let all = [
        Provider::Cpu,
        Provider::Cuda { device: 0 },
        Provider::CoreMl,
    ];
    all.into_iter()
        .map(|provider| (provider, provider.start()))
        .collect()
}

/// Registers `providers` in their order.
pub(super) fn register(providers: &[Provider], builder: SessionBuilder) -> Result<SessionBuilder> {
    providers
        .iter()
        .try_fold(builder, |builder, provider| provider.register(builder))
}

/// The first of `providers` that does not start, when a graph could not be opened.
pub(super) fn first_refusal(providers: &[Provider]) -> Option<Error> {
    providers.iter().find_map(|provider| provider.start().err())
}

#[cfg(any(target_os = "linux", target_os = "windows"))]
fn cuda(device: u32) -> Result<ExecutionProviderDispatch> {
    use ort::ep::{ArenaExtendStrategy, CUDA, cuda::ConvAlgorithmSearch};
    let name = || format!("provider cuda:{device}");
    let device =
        i32::try_from(device).map_err(|_| Error::invalid(name(), "expected a smaller number"))?;
    let cuda = CUDA::default().with_device_id(device);
    // The lengths change with every run: powers of two would waste memory, and an exhaustive search would run anew.
    let cuda = cuda.with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested);
    Ok(cuda
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build())
}

#[cfg(not(any(target_os = "linux", target_os = "windows")))]
fn cuda(device: u32) -> Result<ExecutionProviderDispatch> {
    Err(not_here(Provider::Cuda { device }, "Linux and Windows"))
}

#[cfg(target_os = "macos")]
fn core_ml() -> Result<ExecutionProviderDispatch> {
    use ort::ep::{CoreML, coreml::ModelFormat};
    Ok(CoreML::default()
        .with_model_format(ModelFormat::MLProgram)
        .build())
}

#[cfg(not(target_os = "macos"))]
fn core_ml() -> Result<ExecutionProviderDispatch> {
    Err(not_here(Provider::CoreMl, "macOS"))
}

fn not_here(provider: Provider, systems: &str) -> Error {
    let detail = format!(
        "is there on {systems}, this is {}; use provider cpu",
        std::env::consts::OS
    );
    Error::unsupported(format!("provider {provider}"), detail)
}

/// A graph `y = Identity(x)` over `[1]` f32: ONNX protobuf, IR version 8, operator set 13.
const IDENTITY: [u8; 63] = *b"\x08\x08\x3a\x37\x0a\x10\x0a\x01x\x12\x01y\x22\x08Identity\x12\x01g\
    \x5a\x0f\x0a\x01x\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01\
    \x62\x0f\x0a\x01y\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01\
    \x42\x02\x10\x0d";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn names_go_both_ways() {
        for name in ["cpu", "cuda:1", "coreml", "cuda:0,cpu", "auto"] {
            assert_eq!(name.parse::<Providers>().unwrap().to_string(), name);
        }
        assert_eq!(
            "cuda".parse::<Provider>().unwrap(),
            Provider::Cuda { device: 0 }
        );
    }

    #[test]
    fn a_name_we_do_not_know_is_invalid() {
        for name in [
            "", "gpu", "cuda:x", "cuda:-1", "cpu:0", "cpu,,gpu", "cpu,cpu", "cpu,cuda",
        ] {
            assert_eq!(
                name.parse::<Providers>().unwrap_err().kind(),
                ErrorKind::Invalid,
                "{name}"
            );
        }
    }

    #[test]
    fn the_way_out_depends_on_the_cause() {
        let cuda = Provider::Cuda { device: 0 };
        assert!(
            cuda.cure("CUDA execution provider is not enabled in this build.")
                .contains("onnxruntime-gpu")
        );
        assert!(
            cuda.cure("libcublasLt.so.13: cannot open shared object file")
                .contains("LD_LIBRARY_PATH")
        );
    }
}
