//! Lists in files: ids, CSV, JSON lines. All or nothing: one wrong line starts no profile.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use thiserror::Error;

use super::{ReadError, Rows, Source};
use crate::providers::adspower::ResolvedReferences;
use regatta_core::id::ProfileId;
use regatta_core::source::profile_reference::{ProfileReference, ReferenceProblem};
use regatta_core::source::row::{DeclaredVariables, ID_COLUMNS, ProfileRow, RowProblem, check_columns};
use regatta_core::source::spec::Format;

/// The most problems that are listed; the rest are counted.
const LISTED: usize = 20;

/// Everything that is wrong with a list, at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct WrongLines {
    /// The file, or `standard input`.
    pub name: String,
    /// In the order of lines; lines count from 1. None: the list names no profile.
    pub problems: Vec<(usize, LineProblem)>,
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineProblem {
    #[error(transparent)]
    Row(#[from] RowProblem),
    #[error("profile {profile} is on line {first} already")]
    Duplicate { profile: ProfileId, first: usize },
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("{0} columns, and the first line has {1}")]
    Columns(u64, u64),
    #[error("not UTF-8")]
    NotText,
    /// It has to be looked up first.
    #[error("the AdsPower reference {0} was not looked up")]
    Reference(ProfileReference),
}

impl WrongLines {
    pub fn hint(&self) -> Option<&'static str> {
        let hint = |problem: &LineProblem| match problem {
            LineProblem::Row(problem) => problem.hint(),
            LineProblem::Columns(..) => Some("put a value with a comma in it into double quotes"),
            LineProblem::NotText => Some("save the file as UTF-8"),
            _ => None,
        };
        self.problems.iter().find_map(|(_, problem)| hint(problem))
    }
}

impl fmt::Display for WrongLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty() {
            let what = match self.format {
                Format::List => "write one id a line, `#` begins a comment",
                Format::Csv => "write a line for each below the names of the columns",
                Format::JsonLines => "write an id or an object a line",
            };
            return write!(f, "{} names no profile: {what}", self.name);
        }
        let (count, plural) = (self.problems.len(), if self.problems.len() == 1 { "" } else { "s" });
        write!(f, "{count} wrong line{plural} in the list of profiles; nothing was started")?;
        for (line, problem) in self.problems.iter().take(LISTED) {
            write!(f, "\n  {}:{line}: {problem}", self.name)?;
        }
        if count > LISTED {
            write!(f, "\n  and {} more", count - LISTED)?;
        }
        Ok(())
    }
}

pub struct FileSource {
    name: String,
    format: Format,
    content: FileContent,
    declared: DeclaredVariables,
    /// The profiles that its AdsPower numbers and names mean.
    resolved: Arc<ResolvedReferences>,
    /// It was checked and has not been read since.
    checked: bool,
}

enum FileContent {
    Path(PathBuf),
    /// The content of standard input, which can be read only once.
    Kept(File),
}

/// How an id that is written as a number or a name of AdsPower is resolved.
#[derive(Clone)]
enum ReferenceMode {
    /// It is reported as [`LineProblem::Reference`].
    Collected,
    Resolved(Arc<ResolvedReferences>),
}

impl ReferenceMode {
    /// Ids that are no references are kept.
    fn resolve(&self, id: Value) -> Result<Value, LineProblem> {
        let Some(reference) = id.as_str().and_then(|text| ProfileReference::parse(text.trim())) else {
            return Ok(id);
        };
        let reference = reference.map_err(RowProblem::from)?;
        let Self::Resolved(resolved) = self else { return Err(LineProblem::Reference(reference)) };
        match resolved.get(&reference) {
            Some(Ok(profile)) => Ok(Value::String(profile.to_string())),
            Some(Err(problem)) => Err(RowProblem::from(problem.clone()).into()),
            None => {
                let late = ReferenceProblem::Late(id.as_str().unwrap_or_default().to_owned());
                Err(RowProblem::from(late).into())
            }
        }
    }
}

type FileLine = (usize, Result<ProfileRow, LineProblem>);
type FileLines = Box<dyn Iterator<Item = io::Result<FileLine>> + Send>;

impl FileSource {
    /// Its rows may set the `declared` variables and no others. Reads nothing yet.
    pub fn at(path: &Path, format: Format, declared: DeclaredVariables) -> Self {
        let (name, content) = (path.display().to_string(), FileContent::Path(path.to_owned()));
        Self { name, format, content, declared, resolved: Arc::default(), checked: false }
    }

    /// The profiles that it names by number or name, which have to be looked up.
    pub fn references(&self) -> Result<Vec<ProfileReference>, ReadError> {
        let (mut references, mut seen) = (Vec::new(), HashSet::new());
        for line in self.lines_with(&ReferenceMode::Collected)? {
            let (_, row) = line.map_err(|source| self.unreadable(source))?;
            if let Err(LineProblem::Reference(reference)) = row
                && seen.insert(reference.clone())
            {
                references.push(reference);
            }
        }
        Ok(references)
    }

    /// Looks the whole file through, with its references resolved.
    pub fn checked(mut self, resolved: ResolvedReferences) -> Result<Self, ReadError> {
        self.resolved = Arc::new(resolved);
        self.check()?;
        self.checked = true;
        Ok(self)
    }

    /// The profiles of a file, as far as it can be read. Checks nothing.
    pub fn ids(path: &Path, format: Format) -> Vec<ProfileId> {
        let source = Self::at(path, format, DeclaredVariables::default());
        let rows = source.lines().into_iter().flatten().map_while(Result::ok);
        rows.filter_map(|(_, row)| row.ok().map(|row| row.id)).collect()
    }

    /// Reads `input` to its end.
    pub fn of_input(
        name: &str,
        mut input: impl Read,
        format: Format,
        declared: DeclaredVariables,
    ) -> Result<Self, ReadError> {
        let mut keep = || {
            let mut kept = tempfile::tempfile()?;
            io::copy(&mut input, &mut kept)?;
            Ok(kept)
        };
        let kept = keep().map_err(|source| ReadError::File { name: name.to_owned(), source })?;
        let (name, content) = (name.to_owned(), FileContent::Kept(kept));
        Ok(Self { name, format, content, declared, resolved: Arc::default(), checked: false })
    }

    fn check(&self) -> Result<(), ReadError> {
        let mut first_lines = HashMap::new();
        let mut problems = Vec::new();
        for line in self.lines()? {
            let (number, row) = line.map_err(|source| self.unreadable(source))?;
            match row {
                Err(problem) => problems.push((number, problem)),
                Ok(ProfileRow { id, .. }) => match first_lines.get(&id) {
                    Some(&first) => problems.push((number, LineProblem::Duplicate { profile: id, first })),
                    None => {
                        first_lines.insert(id, number);
                    }
                },
            }
        }
        if problems.is_empty() && !first_lines.is_empty() {
            return Ok(());
        }
        Err(WrongLines { name: self.name.clone(), problems, format: self.format }.into())
    }

    fn lines(&self) -> Result<FileLines, ReadError> {
        self.lines_with(&ReferenceMode::Resolved(Arc::clone(&self.resolved)))
    }

    fn lines_with(&self, ids: &ReferenceMode) -> Result<FileLines, ReadError> {
        let open = || match &self.content {
            FileContent::Path(path) => File::open(path),
            FileContent::Kept(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(file)
            }
        };
        let file = open().map_err(|source| self.unreadable(source))?;
        match self.format {
            Format::List => Ok(Box::new(list(BufReader::new(file), ids.clone()))),
            Format::JsonLines => {
                Ok(Box::new(json_lines(BufReader::new(file), self.declared.clone(), ids.clone())))
            }
            Format::Csv => csv_rows(&self.name, BufReader::new(file), &self.declared, ids),
        }
    }

    fn unreadable(&self, source: io::Error) -> ReadError {
        ReadError::File { name: self.name.clone(), source }
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            // It may have changed since it was checked; what became wrong is reported again.
            if !std::mem::take(&mut self.checked) {
                self.check()?;
            }
            for line in self.lines()? {
                let (number, row) = line.map_err(|source| self.unreadable(source))?;
                match row {
                    Ok(row) => rows.push(row).await?,
                    Err(problem) => {
                        let problems = vec![(number, problem)];
                        return Err(
                            WrongLines { name: self.name.clone(), problems, format: self.format }.into()
                        );
                    }
                }
            }
            Ok(())
        })
    }
}

/// One id a line; `#` begins a comment anywhere on a line; blank lines, CR LF and a byte order mark
/// are fine.
fn list(input: impl BufRead, ids: ReferenceMode) -> impl Iterator<Item = io::Result<FileLine>> {
    text_lines(input, move |text| {
        let id = text.split('#').next().unwrap_or_default().trim();
        let parsed = || {
            let Value::String(id) = ids.resolve(Value::String(id.to_owned()))? else {
                unreachable!("a text stays one")
            };
            id.parse::<ProfileId>().map(ProfileRow::from).map_err(|invalid| RowProblem::from(invalid).into())
        };
        (!id.is_empty()).then(parsed)
    })
}

/// An id or an object a line; blank lines are fine.
fn json_lines(
    input: impl BufRead,
    declared: DeclaredVariables,
    ids: ReferenceMode,
) -> impl Iterator<Item = io::Result<FileLine>> {
    text_lines(input, move |text| {
        let text = text.trim();
        let parsed = || {
            let mut value: Value = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            match &mut value {
                Value::Object(columns) => {
                    for (_, id) in columns.iter_mut().filter(|(name, _)| ID_COLUMNS.contains(&name.as_str()))
                    {
                        *id = ids.resolve(id.take())?;
                    }
                }
                id => *id = ids.resolve(id.take())?,
            }
            Ok(ProfileRow::from_json(value)?.check_variables(&declared)?)
        };
        (!text.is_empty()).then(parsed)
    })
}

/// The line that serde names is the first of one.
fn not_json(error: &serde_json::Error) -> LineProblem {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    LineProblem::NotJson(format!("{what} at column {}", error.column()))
}

fn text_lines(
    mut input: impl BufRead,
    parse: impl Fn(&str) -> Option<Result<ProfileRow, LineProblem>>,
) -> impl Iterator<Item = io::Result<FileLine>> {
    let (mut number, mut bytes) = (0, Vec::new());
    std::iter::from_fn(move || {
        loop {
            bytes.clear();
            number += 1;
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Err(error) => return Some(Err(error)),
                Ok(_) => {}
            }
            let Ok(text) = str::from_utf8(&bytes) else {
                return Some(Ok((number, Err(LineProblem::NotText))));
            };
            let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
            if let Some(row) = parse(text) {
                return Some(Ok((number, row)));
            }
        }
    })
}

/// The first line names the columns. Separated by commas, or by semicolons or tabs where it has no comma.
fn csv_rows(
    name: &str,
    mut input: BufReader<File>,
    declared: &DeclaredVariables,
    ids: &ReferenceMode,
) -> Result<FileLines, ReadError> {
    let unreadable = |source| ReadError::File { name: name.to_owned(), source };
    let first = input.fill_buf().map_err(unreadable)?;
    let first = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let separator = [b',', b';', b'\t'].into_iter().find(|byte| first.contains(byte)).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::Headers).from_reader(input);
    let header = reader
        .headers()
        .map_err(|error| ReadError::File { name: name.to_owned(), source: error.into() })?
        .clone();
    if header.is_empty() {
        return Ok(Box::new(std::iter::empty()));
    }
    check_columns(&header, declared)
        .map_err(|problem| ReadError::Columns { name: format!("{name}:1"), problem })?;
    let (declared, ids) = (declared.clone(), ids.clone());
    let rows = reader.into_records().map(move |record| match record {
        Ok(record) => {
            let number =
                record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
            let value =
                |text: &str| if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) };
            let columns = header.iter().zip(record.iter().map(value));
            let columns = columns.map(|(name, value)| -> Result<_, LineProblem> {
                Ok((name, if ID_COLUMNS.contains(&name) { ids.resolve(value)? } else { value }))
            });
            let row = columns.collect::<Result<Vec<_>, LineProblem>>().and_then(|columns| {
                // A column `variables` holds a whole object, whose names no header shows.
                Ok(ProfileRow::from_columns(columns)?.check_variables(&declared)?)
            });
            Ok((number, row))
        }
        Err(error) => {
            let line = |position: &Option<csv::Position>| {
                position.as_ref().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0))
            };
            match error.kind() {
                csv::ErrorKind::Utf8 { pos, .. } => Ok((line(pos), Err(LineProblem::NotText))),
                csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                    Ok((line(pos), Err(LineProblem::Columns(*len, *expected_len))))
                }
                _ => Err(error.into()),
            }
        }
    });
    Ok(Box::new(rows))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(format: Format, text: &str, expected: Expect) {
        let declared = ["shop", "n", "a"].into_iter().collect();
        let opened = FileSource::of_input("profiles", text.as_bytes(), format, declared)
            .and_then(|source| source.checked(ResolvedReferences::new()));
        expected.assert_eq(&match opened {
            Ok(source) => {
                let row = |line: io::Result<FileLine>| {
                    let ProfileRow { id, priority, new } = line.unwrap().1.unwrap();
                    let rest = if new.is_empty() {
                        String::new()
                    } else {
                        format!(" {}", serde_json::to_string(&new).unwrap())
                    };
                    format!(
                        "{id}{}{rest}",
                        if priority == 0 { String::new() } else { format!("^{priority}") }
                    )
                };
                source.lines().unwrap().map(row).collect::<Vec<_>>().join("\n")
            }
            Err(error) => match error.hint() {
                Some(hint) => format!("{error}\nhint: {hint}"),
                None => error.to_string(),
            },
        });
    }

    #[test]
    fn comments_blank_lines_and_the_ends_of_other_systems_are_fine() {
        check(
            Format::List,
            "\u{feff}# ours\r\na1\r\n\r\n  b-2  # second\n#c\nd_3",
            expect![[r#"
            a1
            b-2
            d_3"#]],
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        check(
            Format::List,
            "a\nb/c\n\na # again\nd\n../x\nd\n",
            expect![[r#"
            4 wrong lines in the list of profiles; nothing was started
              profiles:2: `b/c` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles:4: profile a is on line 1 already
              profiles:6: `../x` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles:7: profile d is on line 5 already"#]],
        );
        check(
            Format::List,
            "a b",
            expect![[r#"
            1 wrong line in the list of profiles; nothing was started
              profiles:1: `a b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"#]],
        );
    }

    #[test]
    fn of_very_many_wrong_lines_the_first_are_listed() {
        let text = "?\n".repeat(731);
        let source =
            FileSource::of_input("profiles", text.as_bytes(), Format::List, DeclaredVariables::default());
        let Err(error) = source.and_then(|source| source.checked(ResolvedReferences::new())) else {
            panic!("it is wrong")
        };
        let reported = error.to_string();
        assert_eq!(reported.lines().count(), 22);
        assert!(
            reported.starts_with("731 wrong lines") && reported.ends_with("\n  and 711 more"),
            "{reported}"
        );
    }

    #[test]
    fn an_empty_list_is_an_error() {
        check(
            Format::List,
            "",
            expect!["profiles names no profile: write one id a line, `#` begins a comment"],
        );
        check(
            Format::List,
            "# nothing\n\n",
            expect!["profiles names no profile: write one id a line, `#` begins a comment"],
        );
        check(
            Format::Csv,
            "",
            expect!["profiles names no profile: write a line for each below the names of the columns"],
        );
        check(
            Format::Csv,
            "id,platform\n",
            expect!["profiles names no profile: write a line for each below the names of the columns"],
        );
        check(Format::JsonLines, "\n", expect!["profiles names no profile: write an id or an object a line"]);
    }

    #[test]
    fn a_table_has_names_in_its_first_line() {
        check(
            Format::Csv,
            "\u{feff}profile_id, platform,identity.email,variables.shop,priority\r\na,mobile,a@practice.test,\"north, 1\",\r\nb,,,,7\r\n",
            expect![[r#"
                a {"platform":"mobile","identity":{"email":"a@practice.test"},"variables":{"shop":"north, 1"}}
                b^7"#]],
        );
        check(
            Format::Csv,
            "id;variables.shop\na;north, 1\n",
            expect![[r#"a {"platform":null,"identity":{},"variables":{"shop":"north, 1"}}"#]],
        );
        check(
            Format::Csv,
            "id\na\nb\n",
            expect![[r#"
            a
            b"#]],
        );
    }

    #[test]
    fn what_is_wrong_with_a_table_is_told_with_its_line() {
        check(
            Format::Csv,
            "name,platform\na,mobile\n",
            expect![[r#"
                profiles:1: unknown column `name`
                hint: columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out"#]],
        );
        check(
            Format::Csv,
            "platform\nmobile\n",
            expect![[r#"
            profiles:1: there is no column `profile_id`
            hint: name the column of the profile's id `profile_id`: in SQL, select name as profile_id"#]],
        );
        check(
            Format::Csv,
            "id,platform,variables.a\na,mobile,1,2\nb,tablet,x\n\"c\nc\",,\na/b,,\nd,,\nd,,\n",
            expect![[r#"
            5 wrong lines in the list of profiles; nothing was started
              profiles:2: 4 columns, and the first line has 3
              profiles:3: `platform` is `tablet`: expected mobile or desktop
              profiles:4: `c
            c` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles:6: `a/b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles:8: profile d is on line 7 already
            hint: put a value with a comma in it into double quotes"#]],
        );
    }

    #[test]
    fn json_lines_are_ids_or_objects() {
        check(
            Format::JsonLines,
            "\"a\"\n\n{\"profile_id\":\"b\",\"identity\":{\"email\":\"b@practice.test\"},\"variables.n\":1}\n",
            expect![[r#"
            a
            b {"platform":null,"identity":{"email":"b@practice.test"},"variables":{"n":1}}"#]],
        );
        check(
            Format::JsonLines,
            "\"a\"\n{\"id\":\"b\"\n[]\n{\"id\":\"c\",\"identity\":{\"password\":\"hunter2\"},\"oops\":1}\n",
            expect![[r#"
                3 wrong lines in the list of profiles; nothing was started
                  profiles:2: not JSON: EOF while parsing an object at column 9
                  profiles:3: expected a profile id or an object
                  profiles:4: unknown column `oops`
                hint: columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out"#]],
        );
    }

    #[test]
    fn a_variable_that_no_workflow_declares_is_refused_with_the_nearest_name() {
        check(
            Format::Csv,
            "id,variables.shp\na,north\n",
            expect![[r#"
            profiles:1: the workflow declares no variable `shp`; did you mean `shop`?
            hint: correct the name, or declare the variable below [variables] in the workflow"#]],
        );
        check(
            Format::Csv,
            "id,variables\na,\"{\"\"shopp\"\":1}\"\n",
            expect![[r#"
            1 wrong line in the list of profiles; nothing was started
              profiles:2: the workflow declares no variable `shopp`; did you mean `shop`?
            hint: correct the name, or declare the variable below [variables] in the workflow"#]],
        );
        check(
            Format::JsonLines,
            "{\"id\":\"a\",\"variables.sohp\":\"north\"}\n{\"id\":\"b\",\"variables\":{\"place\":1}}\n",
            expect![[r#"
            2 wrong lines in the list of profiles; nothing was started
              profiles:1: the workflow declares no variable `sohp`; did you mean `shop`?
              profiles:2: the workflow declares no variable `place`
            hint: correct the name, or declare the variable below [variables] in the workflow"#]],
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let opened = FileSource::at(Path::new("no/such.csv"), Format::Csv, DeclaredVariables::default())
            .checked(ResolvedReferences::new());
        let Err(error) = opened else { panic!() };
        expect!["cannot read the profiles from `no/such.csv`: No such file or directory (os error 2)"]
            .assert_eq(&error.to_string());
    }
}
