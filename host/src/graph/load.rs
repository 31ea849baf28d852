//! Opening a graph: what it is made of, how it is to run, and what can be wrong with it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::header::{ExternalFiles, Header, is_inside};
use super::library;
use super::provider::{self, Provider, Providers};
use crate::error::{Error, Result};

/// What a graph is read from.
#[derive(Clone)]
pub enum GraphSource {
    /// A `.onnx` file, its external data beside it.
    File(PathBuf),
    /// Bytes, as those that a program has inside.
    Memory {
        /// What to call the graph in messages, as a file would be.
        name: String,
        /// The `.onnx` file's bytes.
        model: Cow<'static, [u8]>,
        /// The external data: file name as the graph has it, and bytes. Not needed after loading.
        external: Vec<(String, Cow<'static, [u8]>)>,
    },
}

/// How a graph is to run.
#[derive(Clone, Debug, Default)]
pub struct GraphOptions {
    /// What computes. The processor unless said otherwise.
    pub providers: Providers,
    /// Threads within one operator; as many as there are physical cores, or fewer if this process may use fewer.
    pub threads: Option<usize>,
    /// Whether idle threads wait busily: faster between the steps of a generation, and a burden to the program
    /// around us. Off unless said otherwise.
    pub spinning: bool,
    /// Outputs whose names begin so stay on the device that made them, as `present.` should. On the processor
    /// it makes no difference.
    pub device_outputs: Vec<String>,
}

impl GraphSource {
    /// The name in messages: the file's, without folder and extension.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path
                .file_stem()
                .unwrap_or(path.as_os_str())
                .to_string_lossy(),
            Self::Memory { name, .. } => stem(name).into(),
        }
    }

    pub(super) fn subject(&self) -> String {
        format!("graph {:?}", self.name())
    }

    /// Checks what can be checked without ONNX Runtime, whose own messages name neither the cause nor the cure.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_external(&self.header()?.external)
    }

    /// What the graph says of itself, without opening it.
    pub(crate) fn header(&self) -> Result<Header> {
        match self {
            Self::File(path) => self.file_header(path),
            Self::Memory { model, .. } => {
                let header = Header::read(Cursor::new(&**model), model.len() as u64);
                header.map_err(|detail| Error::bundle(self.subject(), detail))
            }
        }
    }

    /// The size of the external file called `name`, if it is there.
    pub(crate) fn external_bytes(&self, name: &str) -> Option<u64> {
        match self {
            Self::File(path) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                folder.join(name).metadata().ok().map(|file| file.len())
            }
            Self::Memory { external, .. } => {
                let found = external.iter().find(|(file, _)| file == name);
                found.map(|(_, bytes)| bytes.len() as u64)
            }
        }
    }

    fn file_header(&self, path: &Path) -> Result<Header> {
        let missing = |cause| {
            Error::bundle(
                self.subject(),
                format!("{} cannot be opened", path.display()),
            )
            .with_source(cause)
        };
        let file = File::open(path).map_err(missing)?;
        let metadata = file.metadata().map_err(missing)?;
        if !metadata.is_file() {
            return Err(Error::bundle(
                self.subject(),
                format!("{} is not a file", path.display()),
            ));
        }
        let header = Header::read(BufReader::new(file), metadata.len());
        header
            .map_err(|detail| Error::bundle(self.subject(), format!("{} {detail}", path.display())))
    }

    fn check_external(&self, files: &ExternalFiles) -> Result<()> {
        for (name, needed) in files {
            let detail = match self.external_bytes(name) {
                _ if !is_inside(name) => {
                    format!("wants data from {name:?}, which is outside its folder")
                }
                None => format!("needs {name:?}, which is missing; copy or fetch the bundle again"),
                Some(found) if found < *needed => {
                    format!(
                        "needs {needed} bytes of {name:?}, found {found}; copy or fetch the bundle again"
                    )
                }
                Some(_) => continue,
            };
            return Err(Error::bundle(self.subject(), detail));
        }
        Ok(())
    }
}

/// An open graph, and what it was registered with.
pub(super) fn open(
    source: &GraphSource,
    options: &GraphOptions,
) -> Result<(Session, Vec<Provider>)> {
    source.check()?;
    let environment = library::environment()?;
    let failed =
        |cause: ort::Error| Error::graph(source.subject(), "cannot be set up").with_source(cause);
    let providers = options.providers.chosen();
    let builder = Session::builder(environment).map_err(failed)?;
    let builder = configure(builder, options).map_err(failed)?;
    let builder = provider::register(&providers, builder)?;
    let session = commit(builder, source).map_err(|cause| refused(source, &providers, cause))?;
    Ok((session, providers))
}

fn configure(builder: SessionBuilder, options: &GraphOptions) -> ort::Result<SessionBuilder> {
    let builder = builder
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.unwrap_or_else(thread_count))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(options.spinning)?
        // A pattern is only of use when the next run has the same lengths.
        .with_memory_pattern(false)?;
    Ok(builder)
}

fn commit(mut builder: SessionBuilder, source: &GraphSource) -> ort::Result<Session> {
    match source {
        GraphSource::File(path) => builder.commit_from_file(path),
        GraphSource::Memory {
            model, external, ..
        } => {
            for (name, bytes) in external {
                builder =
                    builder.with_external_initializer_file_in_memory(name, Arc::from(&**bytes))?;
            }
            builder.commit_from_memory(model)
        }
    }
}

fn refused(source: &GraphSource, providers: &[Provider], cause: ort::Error) -> Error {
    use ort::ErrorCode as Code;
    // A provider may register and fail only now.
    if let Some(error) = provider::first_refusal(providers) {
        return error;
    }
    match cause.code() {
        Code::NotImplemented => Error::unsupported(
            source.subject(),
            "has an operator that this ONNX Runtime or provider lacks",
        ),
        Code::RuntimeException | Code::EngineError | Code::DeviceReset => {
            Error::graph(source.subject(), "cannot be opened by ONNX Runtime")
        }
        _ => Error::bundle(
            source.subject(),
            "is refused by ONNX Runtime; export or fetch the bundle again",
        ),
    }
    .with_source(cause)
}

fn stem(name: &str) -> &str {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    file.strip_suffix(".onnx").unwrap_or(file)
}

/// Physical cores, but no more than a container gives us.
fn thread_count() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    num_cpus::get_physical().clamp(1, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = GraphSource::File("/nowhere/decoder.onnx".into())
            .check()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bundle);
        assert_eq!(error.subject(), "graph \"decoder\"");
        assert!(error.to_string().contains("/nowhere/decoder.onnx"));
    }

    #[test]
    fn text_in_place_of_a_graph_is_seen_before_onnx_runtime() {
        let source = GraphSource::Memory {
            name: "onnx/text.onnx".into(),
            model: Cow::Borrowed(b"hello"),
            external: Vec::new(),
        };
        let error = source.check().unwrap_err();
        assert_eq!(
            (error.kind(), error.subject()),
            (ErrorKind::Bundle, "graph \"text\"")
        );
    }

    #[test]
    fn a_missing_a_short_and_an_outside_file_are_told_apart() {
        let told = |name: &str, size: Option<usize>| {
            let external =
                size.map(|size| (name.to_owned(), Cow::Owned::<'static, [u8]>(vec![0; size])));
            let source = GraphSource::Memory {
                name: "onnx/decoder.onnx".into(),
                model: Cow::Borrowed(b""),
                external: external.into_iter().collect(),
            };
            let files = ExternalFiles::from([(name.to_owned(), 10)]);
            source.check_external(&files).unwrap_err().to_string()
        };
        assert!(told("data_3", None).contains("\"data_3\", which is missing"));
        assert!(told("data_3", Some(9)).contains("10 bytes of \"data_3\", found 9"));
        assert!(told("../data_3", Some(10)).contains("outside"));
    }
}
