//! Vectors as a file holds them: read strictly, so that a field that is missing or misspelt is told and not
//! taken for an empty one.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::VerifyError;

/// A request under the name it goes by.
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) request: Request,
}

/// A request as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) format: Format,
    /// Decoded, in any order; of a form.
    pub(super) params: Vec<(String, String)>,
    /// As it came; of JSON.
    pub(super) body: String,
    /// The auth token, or a shared key's secret.
    pub(super) secret: String,
    /// None: an auth token's.
    pub(super) algorithm: Option<String>,
    pub(super) signature: String,
}

/// What the content type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Also where there is no body at all.
    Form,
    Json,
}

/// Reads a file and hands each vector to `judge`; the first that cannot be read ends it.
pub(super) fn read<T>(
    file: &[u8],
    mut judge: impl FnMut(Vector) -> T,
) -> Result<Vec<T>, VerifyError> {
    let mut judged = Vec::new();
    let mut any_list = false;
    for document in serde_json::Deserializer::from_slice(file).into_iter::<&RawValue>() {
        let document = document.map_err(|error| VerifyError::File(format!("not JSON: {error}")))?;
        let listed = list(document)?;
        any_list |= listed.is_some();
        for vector in listed.unwrap_or_else(|| vec![document]) {
            let position = judged.len() + 1;
            judged.push(judge(one(position, vector)?));
        }
    }
    if judged.is_empty() && !any_list {
        return Err(VerifyError::File("there is no vector in it".to_owned()));
    }
    Ok(judged)
}

/// The vectors that a document lists; none when it is one itself.
fn list(document: &RawValue) -> Result<Option<Vec<&RawValue>>, VerifyError> {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        vectors: Option<Vec<&'a RawValue>>,
    }
    let wrong =
        |error: serde_json::Error| VerifyError::File(format!("no list of vectors: {error}"));
    match document.get().as_bytes().first() {
        Some(b'[') => serde_json::from_str(document.get())
            .map(Some)
            .map_err(wrong),
        Some(b'{') => {
            let file: File<'_> = serde_json::from_str(document.get()).map_err(wrong)?;
            Ok(file.vectors)
        }
        _ => Err(VerifyError::File(
            "neither a vector nor a list of them".to_owned(),
        )),
    }
}

fn one(position: usize, vector: &RawValue) -> Result<Vector, VerifyError> {
    let read = serde_json::from_str::<Recorded<'_>>(vector.get());
    let name = match &read {
        Ok(recorded) => recorded.name.as_deref().map(str::to_owned),
        Err(_) => name_of(vector),
    };
    let request = read
        .map_err(|error| error.to_string())
        .and_then(Recorded::into_request);
    match request {
        Ok(request) => Ok(Vector {
            name: name.unwrap_or_else(|| position.to_string()),
            request,
        }),
        Err(problem) => Err(VerifyError::Vector {
            position,
            name,
            problem,
        }),
    }
}

/// The name of a vector in which something else is wrong.
fn name_of(vector: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let named: Named = serde_json::from_str(vector.get()).ok()?;
    Some(named.name)
}

#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    url: String,
    #[serde(default)]
    params: Option<Params>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    auth_token: String,
    #[serde(default)]
    algorithm: Option<String>,
    /// May be null, when the header did not come, but has to be there.
    #[serde(deserialize_with = "Option::deserialize")]
    signature: Option<String>,
}

impl Recorded<'_> {
    fn into_request(self) -> Result<Request, String> {
        let content_type = self.content_type.map(|text| text.to_ascii_lowercase());
        let format = match content_type.as_deref() {
            Some(text) if text.contains("json") => Format::Json,
            Some(text) if text.contains("form") => Format::Form,
            None | Some("") if self.body.as_deref().is_none_or(str::is_empty) => Format::Form,
            None | Some("") => return Err("a body without content_type".to_owned()),
            Some(other) => return Err(format!("content_type {other:?} is neither form nor json")),
        };
        let params = match (self.params, &self.body) {
            (Some(params), _) => params.0,
            // The raw body of a form.
            (None, Some(body)) if format == Format::Form => {
                let pairs = form_urlencoded::parse(body.as_bytes());
                pairs.into_owned().collect()
            }
            (None, _) => Vec::new(),
        };
        Ok(Request {
            url: self.url,
            format,
            params,
            body: self.body.unwrap_or_default(),
            secret: self.auth_token,
            algorithm: self.algorithm.filter(|algorithm| !algorithm.is_empty()),
            signature: self.signature.unwrap_or_default(),
        })
    }
}

/// Pairs in the order they came, or an object whose values are texts or lists of texts.
struct Params(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParamsVisitor)
    }
}

struct ParamsVisitor;

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = Params;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("params as pairs or as an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Params, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = seq.next_element()? {
            pairs.push(pair);
        }
        Ok(Params(pairs))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Values {
            One(String),
            Several(Vec<String>),
        }
        let mut pairs = Vec::new();
        while let Some((name, values)) = map.next_entry::<String, Values>()? {
            match values {
                Values::One(value) => pairs.push((name, value)),
                Values::Several(values) => {
                    pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
            }
        }
        Ok(Params(pairs))
    }
}
