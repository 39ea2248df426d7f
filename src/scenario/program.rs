//! What a program does: the parameters of the steps that open, ask, read, write, cancel and wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::filter::is_default;
use super::value::{Bytes, Ioctl};

/// How a program opens a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, to open the reader's own interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub reader: Option<Spanned<u32>>,
    /// How later steps name the handle.
    #[serde(rename = "as")]
    pub name: String,
    /// FILE_FLAG_OVERLAPPED: requests do not wait.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlapped: bool,
    /// The rights that are asked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub access: Rights,
}

/// The rights of a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rights {
    /// GENERIC_READ | GENERIC_WRITE.
    #[default]
    ReadWrite,
    /// GENERIC_READ.
    Read,
    /// GENERIC_WRITE.
    Write,
    /// 0.
    None,
}

/// A handle that a step opened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnHandle {
    /// What the open named it.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
}

/// A request that is out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnRequest {
    /// What the step that sent it named it.
    #[schemars(with = "String")]
    pub request: Spanned<String>,
}

/// A control request, as DeviceIoControl sends it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IoctlParameters {
    /// The handle.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
    /// The control code.
    pub code: Ioctl,
    /// The input buffer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Bytes,
    /// The output buffer's length.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output_length: u32,
    /// On an overlapped handle: how later steps name the request.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// A control request for a reader, through its bus.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, which the request's input begins with.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// The control code.
    #[serde(default = "exchange", skip_serializing_if = "is_exchange")]
    pub ioctl: Ioctl,
    /// The input after the reader's id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Bytes,
    /// The output buffer's length.
    #[serde(default = "short_response", skip_serializing_if = "is_short_response")]
    pub output_length: u32,
    /// A handle that a step opened; without it a synchronous one of the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub handle: Option<Spanned<String>>,
    /// The request does not wait, and later steps name it so.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// ReadFile.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadParameters {
    /// The handle.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
    /// How many bytes.
    pub length: u32,
    /// The byte offset. For a bus whose driver sends reads on, it is the reader's id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub offset: u32,
    /// On an overlapped handle: how later steps name the request.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// WriteFile.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteParameters {
    /// The handle.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
    /// The bytes.
    pub data: Bytes,
    /// The byte offset. For a bus whose driver sends writes on, it is the reader's id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub offset: u32,
    /// On an overlapped handle: how later steps name the request.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// A thread of the program.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnThread {
    /// Its name: that of the steps that it takes.
    #[schemars(with = "String")]
    pub thread: Spanned<String>,
}

impl ForwardParameters {
    /// The vendor IOCTL for this reader, without input: the answer is its card's ATR.
    pub fn new(reader: u32) -> ForwardParameters {
        ForwardParameters {
            bus: None,
            reader: Spanned::new(0..0, reader),
            ioctl: exchange(),
            input: Bytes::default(),
            output_length: short_response(),
            handle: None,
            name: None,
        }
    }
}

fn exchange() -> Ioctl {
    Ioctl(vbus_bus::IOCTL_VBUS_EXCHANGE)
}

fn is_exchange(code: &Ioctl) -> bool {
    *code == exchange()
}

/// Room for any answer to a short command APDU.
fn short_response() -> u32 {
    258
}

fn is_short_response(length: &u32) -> bool {
    *length == short_response()
}
