//! YAML in: one document, composed from libyaml's events as go-yaml v2 composes it.
//!
//! Aliases and merge keys are expanded. As in go-yaml, the last of several equal keys wins, and a
//! merge key wins over keys before it.

use std::collections::HashMap;

use libyaml_safer::{
    Event, EventData, MappingStyle, Parser, ScalarStyle, Scanner, SequenceStyle, TokenData,
};

use super::node::{Layout, MAX_DEPTH, Member, Node};
use super::resolve::{self, Meaning};
use super::scalar::{Form, Scalar};

/// Most nodes, and most bytes of text, that there may be beside those that a file is written with:
/// what has an anchor is kept for its aliases until its document ends, and each of them is a copy. An
/// object of Kubernetes has 1.5 MiB at most.
const MAX_COPIED_NODES: usize = 1_000_000;
const MAX_COPIED_TEXT: usize = 32 << 20;

/// Most nodes of a document: some 700 MiB of memory.
const MAX_NODES: usize = 4_000_000;

/// What aliases have added to the documents of a file so far, or anchors to one document.
#[derive(Default)]
pub struct Copies {
    nodes: usize,
    text: usize,
    /// There is to be none.
    are_refused: bool,
}

/// Composes the document in `text`; `None` where there is nothing but comments, or null.
///
/// `first_line` is the number of its first line in the file, for the error message.
pub fn compose(text: &str, first_line: usize, copies: &mut Copies) -> Result<Option<Node>, String> {
    compose_within(MAX_NODES, text, first_line, copies)
}

pub(super) fn compose_within(
    max_nodes: usize,
    text: &str,
    first_line: usize,
    copies: &mut Copies,
) -> Result<Option<Node>, String> {
    // The byte order mark is no part of what libyaml-safer counts.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // libyaml-safer 0.3.0 expects a line break at the end, and panics without one, as behind the
    // block scalar of `a: |\n  b`: https://github.com/simonask/libyaml-safer/issues/6.
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    refuse_comma_after_tag(&text).map_err(|error| error.tell(first_line))?;
    let mut parser = Parser::new();
    parser.set_input(text.as_bytes());
    let mut composer = Composer {
        parser,
        line: 0,
        max_nodes,
        nodes: 0,
        aliased: copies,
        anchored: Copies::default(),
        anchors: HashMap::new(),
    };
    let document = composer.document();
    document.map_err(|error| error.tell(first_line))
}

impl Copies {
    /// Of a text in which aliases are taken for a mistake.
    pub fn refused() -> Self {
        Self { are_refused: true, ..Self::default() }
    }

    fn add(&mut self, copy: Size) {
        self.nodes += copy.nodes;
        self.text += copy.text;
    }
}

/// What is wrong, and the line, counted from 0 within the document.
struct Problem(u64, String);

impl Problem {
    fn tell(self, first_line: usize) -> String {
        format!("line {}: {}", self.0 + first_line as u64, self.1)
    }
}

impl From<libyaml_safer::Error> for Problem {
    fn from(error: libyaml_safer::Error) -> Self {
        // Where the text ends too early, the line in which the open part began says more.
        let open = error.problem().contains("end of stream");
        let mark = error.context_mark().filter(|_| open).or(error.problem_mark());
        let line = mark.map_or(0, |mark| mark.line);
        let context = error.context().map(|context| format!("{context}, ")).unwrap_or_default();
        Problem(line, format!("not YAML: {context}{}", error.problem()))
    }
}

type Result1<T> = Result<T, Problem>;

/// What an anchor names, with its size, so that aliases can be counted before they are expanded.
struct Anchored {
    node: Node,
    size: Size,
}

/// How large a tree is.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    /// Bytes of text.
    text: usize,
    /// Levels.
    height: usize,
}

struct Composer<'t, 'c> {
    parser: Parser<&'t [u8]>,
    /// Where the last event began.
    line: u64,
    max_nodes: usize,
    nodes: usize,
    aliased: &'c mut Copies,
    anchored: Copies,
    anchors: HashMap<String, Anchored>,
}

impl Composer<'_, '_> {
    fn document(&mut self) -> Result1<Option<Node>> {
        let mut node = None;
        loop {
            let event = self.next()?;
            match event.data {
                EventData::StreamEnd => break,
                EventData::DocumentStart { .. } if node.is_some() => {
                    return self
                        .fail("a second document, which only a line `---` of a file may begin");
                }
                EventData::StreamStart { .. }
                | EventData::DocumentStart { .. }
                | EventData::DocumentEnd { .. } => {}
                _ => node = Some(self.node(event, 0)?),
            }
        }
        Ok(node.filter(|node| !matches!(node, Node::Scalar(scalar) if scalar.value().is_null())))
    }

    fn next(&mut self) -> Result1<Event> {
        let event = self.parser.parse()?;
        self.line = event.start_mark.line;
        Ok(event)
    }

    fn fail<T>(&self, problem: impl Into<String>) -> Result1<T> {
        Err(Problem(self.line, problem.into()))
    }

    fn node(&mut self, event: Event, depth: usize) -> Result1<Node> {
        if depth >= MAX_DEPTH {
            return self.fail(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.nodes += 1;
        if self.nodes > self.max_nodes {
            return self.fail(format!("more than {} values", self.max_nodes));
        }
        let (anchor, node) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor, depth),
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                (anchor, Node::Scalar(self.scalar(value, tag, plain_implicit, style)?))
            }
            EventData::SequenceStart { anchor, style, .. } => {
                let flow = style == SequenceStyle::Flow;
                (anchor, Node::Sequence(layout(flow), self.items(depth)?))
            }
            EventData::MappingStart { anchor, style, .. } => {
                let flow = style == MappingStyle::Flow;
                (anchor, Node::Mapping(layout(flow), self.members(depth)?))
            }
            _ => return self.fail("not YAML: unexpected end"),
        };
        if let Some(anchor) = anchor.filter(|_| !self.aliased.are_refused) {
            let size = Size::of(&node);
            self.anchored.add(size);
            self.within_bounds()?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: &str, depth: usize) -> Result1<Node> {
        if self.aliased.are_refused {
            return self.fail("no alias is taken here");
        }
        let Some(size) = self.anchors.get(anchor).map(|anchored| anchored.size) else {
            return self.fail(format!("the anchor `{anchor}` is not known here"));
        };
        self.aliased.add(size);
        self.within_bounds()?;
        if depth + size.height > MAX_DEPTH {
            return self.fail(format!("aliases add more than {MAX_DEPTH} levels"));
        }
        Ok(self.anchors[anchor].node.clone())
    }

    /// Before a copy is made that has been counted.
    fn within_bounds(&self) -> Result1<()> {
        if self.aliased.nodes + self.anchored.nodes > MAX_COPIED_NODES {
            return self
                .fail(format!("anchors and aliases add more than {MAX_COPIED_NODES} values"));
        }
        if self.aliased.text + self.anchored.text > MAX_COPIED_TEXT {
            let most = MAX_COPIED_TEXT >> 20;
            return self.fail(format!("anchors and aliases add more than {most} MiB of text"));
        }
        Ok(())
    }

    fn scalar(
        &self,
        text: String,
        tag: Option<String>,
        implicit: bool,
        style: ScalarStyle,
    ) -> Result1<Scalar> {
        let meaning = match &tag {
            // A string, whatever it looks like.
            Some(tag) if tag == "!" => return Ok(Scalar::string(&text)),
            Some(tag) => resolve::tagged(tag, &text),
            None if implicit => resolve::plain(&text),
            None => Ok(Meaning::Text),
        };
        match meaning {
            Ok(meaning) => Ok(Scalar { text, meaning, form: Form::Yaml(style, tag) }),
            Err(problem) => self.fail(problem),
        }
    }

    fn items(&mut self, depth: usize) -> Result1<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if event.data == EventData::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    fn members(&mut self, depth: usize) -> Result1<Vec<Member>> {
        let mut members = Members::default();
        loop {
            let event = self.next()?;
            if event.data == EventData::MappingEnd {
                return Ok(members.list);
            }
            let Node::Scalar(key) = self.node(event, depth + 1)? else {
                return self.fail("a key must be a string");
            };
            let name = resolve::key(&key.meaning, &key.text).or_else(|it| self.fail(it))?;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if is_merge(&key) {
                self.merge(&mut members, value)?;
            } else {
                members.put(Member { key, name, value });
            }
        }
    }

    fn merge(&self, members: &mut Members, value: Node) -> Result1<()> {
        match value {
            Node::Mapping(_, merged) => merged.into_iter().for_each(|member| members.put(member)),
            // The first of them takes precedence.
            Node::Sequence(_, items) => {
                for item in items.into_iter().rev() {
                    let Node::Mapping(_, merged) = item else {
                        return self.fail("`<<` takes a mapping or a list of mappings");
                    };
                    merged.into_iter().for_each(|member| members.put(member));
                }
            }
            Node::Scalar(_) => return self.fail("`<<` takes a mapping or a list of mappings"),
        }
        Ok(())
    }
}

/// The members of a mapping while it is composed.
#[derive(Default)]
struct Members {
    list: Vec<Member>,
    places: HashMap<String, usize>,
}

impl Members {
    fn put(&mut self, member: Member) {
        match self.places.get(&member.name) {
            Some(place) => self.list[*place] = member,
            None => {
                self.places.insert(member.name.clone(), self.list.len());
                self.list.push(member);
            }
        }
    }
}

fn layout(flow: bool) -> Layout {
    if flow { Layout::Flow } else { Layout::Block }
}

fn is_merge(key: &Scalar) -> bool {
    let plain = matches!(&key.form, Form::Yaml(ScalarStyle::Plain, None));
    let tagged = matches!(&key.form, Form::Yaml(_, Some(tag)) if tag == "tag:yaml.org,2002:merge");
    key.text == "<<" && (plain || tagged)
}

impl Size {
    fn of(node: &Node) -> Self {
        let mut size = Size { nodes: 1, text: 0, height: 1 };
        match node {
            Node::Scalar(scalar) => size.text = scalar.length(),
            Node::Sequence(_, items) => items.iter().for_each(|item| size.add(Size::of(item))),
            Node::Mapping(_, members) => members.iter().for_each(|member| {
                size.text += member.key.length() + member.name.len();
                size.add(Size::of(&member.value));
            }),
        }
        size
    }

    fn add(&mut self, child: Size) {
        self.nodes += child.nodes;
        self.text += child.text;
        self.height = self.height.max(child.height + 1);
    }
}

/// `[!tag,…`: libyaml refuses it; libyaml-safer 0.3.0 panics:
/// <https://github.com/simonask/libyaml-safer/issues/7>.
///
/// The scanner is run over a copy in which no comma follows what looks like a tag: where a tag ends
/// at such a place, it is one, else the place is within a string or comment.
fn refuse_comma_after_tag(text: &str) -> Result1<()> {
    let places = commas_after_tags(text);
    let Some(last) = places.last() else { return Ok(()) };
    let mut copy = String::with_capacity(text.len() + places.len());
    let mut from = 0;
    for place in &places {
        copy.push_str(&text[from..*place]);
        copy.push(' ');
        from = *place;
    }
    copy.push_str(&text[from..]);
    let spaced: Vec<u64> = places.iter().zip(0..).map(|(at, before)| *at as u64 + before).collect();
    let mut scanner = Scanner::new();
    scanner.set_input(copy.as_bytes());
    for token in scanner {
        let token = token?;
        let end = token.end_mark.index;
        if matches!(token.data, TokenData::Tag { .. }) && spaced.binary_search(&end).is_ok() {
            let problem = "put a space before the comma after the tag";
            return Err(Problem(token.end_mark.line, problem.to_owned()));
        }
        if end > *last as u64 + spaced.len() as u64 {
            break;
        }
    }
    Ok(())
}

/// Byte offsets of commas after `!` and characters of a tag.
fn commas_after_tags(text: &str) -> Vec<usize> {
    let tag = |b: &u8| b.is_ascii_alphanumeric() || b"-_;/?:@&=+$.%!~*'()".contains(b);
    let mut places = Vec::new();
    for (at, _) in text.match_indices(',') {
        let before = text.as_bytes()[..at].rsplit(|b| !tag(b)).next().unwrap_or_default();
        if before.contains(&b'!') {
            places.push(at);
        }
    }
    places
}
