//! Other people's readers of what a report is written in: Python packages, each at one version.

use std::{path::Path, process::Command};

use super::venv;

/// What a reader said of a file.
#[derive(Debug)]
pub struct Said {
    /// It took the file.
    pub took: bool,
    /// Its words.
    pub words: String,
}

fn said(command: &mut Command) -> Said {
    let done = command.output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Said { took: done.status.success(), words }
}

fn python(name: &str, version: &str, script: &str, file: &Path) -> Said {
    said(Command::new(venv::program(name, version, name, "python")).args(["-c", script]).arg(file))
}

/// junitparser: reads the suites and says what it counted.
pub fn junit(file: &Path) -> Said {
    let script = "\
import sys
from junitparser import JUnitXml
xml = JUnitXml.fromfile(sys.argv[1])
for suite in xml:
    counted = {'tests': 0, 'failures': 0, 'errors': 0, 'skipped': 0}
    for case in suite:
        counted['tests'] += 1
        for result in case.result:
            counted[{'Failure': 'failures', 'Error': 'errors', 'Skipped': 'skipped'}[type(result).__name__]] += 1
    said = {'tests': suite.tests, 'failures': suite.failures, 'errors': suite.errors, 'skipped': suite.skipped}
    assert said == counted, f'the suite says {said} and has {counted}'
    print(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped)
    for p in suite.properties():
        print(p.name, '=', p.value)
";
    python("junitparser", "5.0.3", script, file)
}

/// cloudevents: reads an event in structured JSON.
pub fn cloudevent(file: &Path) -> Said {
    let script = "\
import sys
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
body = open(sys.argv[1], 'rb').read()
event = JSONFormat().read(CloudEvent, body)
print(event.get_type(), event.get_source(), event.get_subject(), event.get_data()['verdict'])
";
    python("cloudevents", "2.2.0", script, file)
}

/// html5lib: reads a page as a browser does; any error of the standard's is one here.
pub fn html(file: &Path) -> Said {
    let script = "\
import sys, html5lib
parser = html5lib.HTMLParser(strict=False)
tree = parser.parse(open(sys.argv[1], encoding='utf-8').read())
for (position, code, data) in parser.errors:
    print(position, code, data)
sys.exit(1 if parser.errors else 0)
";
    python("html5lib", "1.1", script, file)
}

/// compliance-trestle: reads an OSCAL document of one kind into its models.
pub fn oscal(kind: &str, file: &Path) -> Said {
    let script = "\
import sys, pathlib, importlib
kinds = {'ap': ('assessment_plan', 'AssessmentPlan'), 'ar': ('assessment_results', 'AssessmentResults'),
         'poam': ('poam', 'PlanOfActionAndMilestones')}
module, name = kinds[sys.argv[2]]
model = getattr(importlib.import_module('trestle.oscal.' + module), name)
read = model.oscal_read(pathlib.Path(sys.argv[1]))
assert read is not None, 'nothing was read'
from trestle.core.duplicates_validator import DuplicatesValidator
assert DuplicatesValidator().model_is_valid(read, False), 'duplicate uuid'
print(read.metadata.oscal_version)
";
    let python = venv::program("compliance-trestle", "5.2.0", "compliance-trestle", "python");
    said(Command::new(python).args(["-W", "ignore", "-c", script]).arg(file).arg(kind))
}

/// NIST's own models of OSCAL, from the metaschema of each version (the package oscal): structure, data types, allowed values, cardinality.
/// Nothing is fetched: whatever would open a connection fails, and so does a document whose model is not there.
pub fn nist(files: &[&Path]) -> Said {
    let script = "\
import importlib.resources, os, socket, sys, tempfile, zipfile
def offline(*words, **more):
    raise OSError('nothing is fetched')
socket.socket.connect = offline
models = os.path.join(sys.prefix, 'oscal_support.db')
if not os.path.exists(models):
    packed = importlib.resources.files('oscal.data').joinpath('oscal_support.zip')
    with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
        zipfile.ZipFile(packed.open('rb')).extract('oscal_support.db', folder)
        os.replace(os.path.join(folder, 'oscal_support.db'), models)
import oscal.oscal_support
from oscal import OSCAL
OSCAL.resolve_imports = lambda self, *words, **more: None
held = oscal.oscal_support.configure_support(models)
assert held is not None and held.ready, 'the models are not there'
took = True
for file in sys.argv[1:]:
    read = OSCAL.loads(open(file, encoding='utf-8').read())
    assert read is not None and read.is_well_formed, 'nothing was read'
    index = held.get_metaschema_index(read.oscal_version, read.model)
    assert index and index.get('nodes'), f'no model of {read.model} {read.oscal_version}'
    took = read.validate() and all(read.validation_status.values()) and took
    for error in read.validation_errors:
        print(error['error-type'], error['location'], error['field'])
    print(read.model, read.oscal_version)
sys.exit(0 if took else 1)
";
    let python = venv::program("oscal", "3.2.2", "oscal", "python");
    said(Command::new(python).args(["-W", "ignore", "-c", script]).args(files))
}

/// check-jsonschema: a JSON schema against the schema of schemas, or documents, one in each file, against a schema.
pub fn schema(options: &[&str], files: &[std::path::PathBuf]) -> Said {
    let program = venv::program("check-jsonschema", "0.39.0", "check-jsonschema", "check-jsonschema");
    said(Command::new(program).args(options).args(files))
}

/// A program that reads PDF: qpdf, or one of poppler's.
pub fn pdf(program: &str, options: &[&str], file: &Path, rest: &[&str]) -> Said {
    said(Command::new(program).args(options).arg(file).args(rest))
}
