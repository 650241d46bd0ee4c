//! Walking through the portal as a person does: pages, links, and forms with what they hide.

use std::collections::{BTreeMap, BTreeSet};

use crate::http::{Client, Reply};

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) action: String,
    /// Names and values, as they are when nothing is typed.
    pub(super) values: Vec<(String, String)>,
}

/// Somebody who walks, with the cookies that pages gave them.
pub(super) struct Walker {
    pub(super) client: Client,
    /// Every address that a page linked or led to.
    pub(super) addresses: BTreeSet<String>,
    pub(super) pages: u64,
}

impl Walker {
    /// Somebody new.
    pub(super) fn new(client: Client) -> Self {
        Walker {
            client,
            addresses: BTreeSet::new(),
            pages: 0,
        }
    }

    /// Opens a page, and follows where it leads.
    ///
    /// # Errors
    /// No answer came.
    pub(super) fn open(&mut self, path: &str) -> Result<Reply, String> {
        let mut reply = self.client.get(path)?;
        for _ in 0..5 {
            let Some(next) = reply.header("location").map(str::to_owned) else {
                break;
            };
            self.addresses.insert(next.clone());
            reply = self.client.get(&next)?;
        }
        self.remember(&reply);
        Ok(reply)
    }

    /// Sends a form with what is typed into it, and follows where it leads.
    ///
    /// # Errors
    /// No answer came.
    pub(super) fn send(&mut self, form: &Form, typed: &BTreeMap<&str, String>) -> Result<Reply, String> {
        let value = |name: &str, held: &str| typed.get(name).cloned().unwrap_or_else(|| held.to_owned());
        let pairs: Vec<String> = form
            .values
            .iter()
            .map(|(name, held)| format!("{}={}", coded(name), coded(&value(name, held))))
            .collect();
        let body = pairs.join("&");
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        let reply = self.client.send("POST", &form.action, headers, body.as_bytes())?;
        self.remember(&reply);
        match reply.header("location").map(str::to_owned) {
            Some(next) => {
                self.addresses.insert(next.clone());
                self.open(&next)
            }
            None => Ok(reply),
        }
    }

    fn remember(&mut self, reply: &Reply) {
        self.pages += 1;
        self.addresses.extend(links(&reply.text()));
    }
}

/// Where the links of a page lead, on this site.
pub(super) fn links(page: &str) -> Vec<String> {
    tags(page, "a")
        .filter_map(|tag| attribute(tag, "href"))
        .filter(|link| link.starts_with('/'))
        .collect()
}

/// The forms of a page that are sent by POST.
pub(super) fn forms(page: &str) -> Vec<Form> {
    let mut forms = vec![];
    for part in page.split("<form").skip(1) {
        let Some((head, rest)) = part.split_once('>') else {
            continue;
        };
        let inside = rest.split("</form>").next().unwrap_or_default();
        if attribute(head, "method").as_deref() != Some("post") {
            continue;
        }
        let mut values = vec![];
        for tag in tags(inside, "input").chain(tags(inside, "textarea")) {
            let unchosen = ["radio", "checkbox"]
                .contains(&attribute(tag, "type").unwrap_or_default().as_str())
                && !tag.contains(" checked");
            if let Some(name) = attribute(tag, "name").filter(|_| !unchosen) {
                values.push((name, attribute(tag, "value").unwrap_or_default()));
            }
        }
        for select in inside.split("<select").skip(1) {
            let options = select.split("</select>").next().unwrap_or_default();
            let mut tags = tags(options, "option");
            let chosen = tags
                .clone()
                .find(|tag| tag.contains(" selected"))
                .or_else(|| tags.next());
            if let Some(name) = attribute(select.split('>').next().unwrap_or_default(), "name") {
                values.push((
                    name,
                    chosen.and_then(|tag| attribute(tag, "value")).unwrap_or_default(),
                ));
            }
        }
        // As a browser does where a key is pressed: the first button, with its value if it has one.
        let mut buttons = tags(inside, "button");
        if let Some(pair) = buttons
            .next()
            .and_then(|tag| attribute(tag, "name").zip(attribute(tag, "value")))
        {
            values.push(pair);
        }
        forms.push(Form {
            action: attribute(head, "action").unwrap_or_default(),
            values,
        });
    }
    forms
}

/// What stands in the tags of this name, between the brackets.
fn tags<'p>(page: &'p str, name: &'p str) -> impl Iterator<Item = &'p str> + Clone {
    let is_whole = move |tag: &&str| {
        tag.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '\n']))
    };
    page.split('<')
        .skip(1)
        .filter(is_whole)
        .filter_map(|tag| Some(tag.split_once('>')?.0))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    let value = after.split_once('"')?.0;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    Some(plain.iter().fold(value.to_owned(), |text, (coded, character)| {
        text.replace(coded, character)
    }))
}

/// As a form is sent: letters and digits as they are, the rest in percent signs.
fn coded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_links_are_read() {
        let page = r#"<a href="/x?a=1&amp;b=2">x</a> <a href="https://else.test/">y</a>
            <form method="get" action="/search"><input name="q"></form>
            <form method="post" action="/y"><input type="hidden" name="form_token" value="t">
            <input type="radio" name="r" value="1"><input type="radio" name="r" value="2" checked>
            <select id="s" name="s"><option value="1">a</option><option value="2" selected>b</option></select>
            <button name="go" value="on">z</button></form>"#;
        assert_eq!(links(page), ["/x?a=1&b=2"]);
        let values = [("form_token", "t"), ("r", "2"), ("s", "2"), ("go", "on")];
        let values = values.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        assert_eq!(
            forms(page),
            [Form {
                action: "/y".to_owned(),
                values
            }]
        );
        assert_eq!(coded("宁 1&"), "%E5%AE%81%201%26");
    }
}
