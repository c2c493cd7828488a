//! Opening libraries: what is refused, what lives side by side, and that nothing is ever closed.

use datafusion::arrow::array::types::Float64Type;
use datafusion::arrow::array::{AsArray, Float64Array, Int32Array, StringArray};

use super::*;

fn said(result: Result<Vec<PluginFunction>>) -> String {
    result.expect_err("a library that is refused").to_string()
}

fn product(udf: &ScalarUDF) -> ArrayRef {
    let two = || column(Float64Array::from(vec![2.0, 3.0]));
    call(udf, vec![two(), two()]).expect("a product")
}

#[test]
fn an_outdated_sidecar_keeps_a_library_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("liboutdated.so");
    // No library at all: whoever tried to open it would say something else.
    std::fs::write(&library, "content").expect("a file");
    let fitting = sidecar(&library, Abi::Arroyo, vec![signature("f", &["Float64"], "Float64")]);
    fitting.check(&library).expect("nothing is outdated");
    let refused = |change: fn(&mut Sidecar)| {
        let mut sidecar = fitting.clone();
        change(&mut sidecar);
        let told = said(Plugin::load(&library, &sidecar));
        assert_eq!(told, sidecar.check(&library).expect_err("outdated").to_string());
        let what = format!("library {} cannot be loaded: ", library.display());
        told.strip_prefix(&what).expect("the library's name").to_string()
    };
    assert_eq!(refused(|s| s.format = 0), "its sidecar has format 0, this engine has format 1");
    let target = refused(|s| s.target = "sparc-sun-solaris".into());
    assert_eq!(target, format!("it was built for sparc-sun-solaris, this is {}", host_target()));
    let panic = refused(|s| s.panic = "abort".into());
    assert_eq!(panic, "it was built with panic = \"abort\", which must be \"unwind\"");
    let count = refused(|s| s.functions.clear());
    assert_eq!(count, "Arroyo's format has one function a library, the sidecar names 0");
    let hash = refused(|s| s.library_sha256 = sha256(b"other content"));
    assert!(hash.contains(&sha256(b"content")) && hash.contains(&sha256(b"other content")), "{hash}");
    std::fs::remove_file(&library).expect("the file is there");
    assert!(said(Plugin::load(&library, &fitting)).starts_with("cannot read library "));
}

#[test]
fn a_sidecar_survives_its_file() {
    let functions = vec![signature("f", &["Vec Float64?", "Vec Utf8"], "Int32?")];
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("lib.so");
    std::fs::write(&library, "content").expect("a file");
    let mut written = sidecar(&library, Abi::Vectorized, functions);
    written.functions[0].async_options = Some(AsyncOptions::default());
    let text = serde_json::to_string(&written).expect("JSON");
    assert_eq!(serde_json::from_str::<Sidecar>(&text).expect("a sidecar"), written);
    // Options are written only where there are any.
    let text = text.replace(r#","async_options":{"ordered":true,"timeout_ms":5000,"allowed_in_flight":1000}"#, "");
    let read = serde_json::from_str::<Sidecar>(&text).expect("a sidecar");
    assert_eq!(read.functions[0].async_options, None);
}

#[test]
fn what_is_no_library_of_functions_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("libtext.so");
    std::fs::write(&text, "not a library").expect("a file");
    let function = || vec![signature("f", &["Float64"], "Float64")];
    let told = said(Plugin::load(&text, &sidecar(&text, Abi::Arroyo, function())));
    assert!(told.contains("libtext.so cannot be loaded: "), "{told}");

    let (Some(multiply), Some(zscore)) = (udfs::library("multiply"), udfs::library("zscore")) else { return };
    let told = said(Plugin::load(&zscore, &sidecar(&zscore, Abi::Arroyo, function())));
    assert!(told.ends_with("is not a function in Arroyo's format: it does not export __run"), "{told}");
    let told = said(Plugin::load(&multiply, &sidecar(&multiply, Abi::Vectorized, function())));
    assert!(told.ends_with("has no vectorized functions: it does not export __alcedo_udf"), "{told}");
    let mut later = function();
    later[0].is_async = true;
    let told = said(Plugin::load(&multiply, &sidecar(&multiply, Abi::Arroyo, later)));
    assert!(told.ends_with("it does not export __start, __send, __drain_results and __stop_runtime"), "{told}");

    let none = sidecar(&multiply, Abi::Arroyo, vec![signature("f", &[], "Float64")]);
    assert!(said(Plugin::load(&multiply, &none)).starts_with("function F takes no arguments: "));
    let mixed = sidecar(&multiply, Abi::Arroyo, vec![signature("f", &["Vec Float64", "Float64"], "Float64")]);
    assert_eq!(
        said(Plugin::load(&multiply, &mixed)),
        "function F cannot be called: an aggregate takes vectors only, and answers at once"
    );
    let unknown = sidecar(&multiply, Abi::Arroyo, vec![signature("f", &["Decimal"], "Float64")]);
    assert!(said(Plugin::load(&multiply, &unknown)).starts_with("Decimal is not a type of functions in libraries"));
}

#[test]
fn a_library_describes_itself_and_its_sidecar_must_agree() {
    let Some(library) = udfs::library("zscore") else { return };
    let described = Plugin::describe(&library).expect("a description");
    let names: Vec<&str> = described.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["calibrate", "zscore", "zscore_band"]);
    let mut zscore = signature("zscore", &["Float64", "Float64", "Float64"], "Float64?");
    for (argument, name) in zscore.arguments.iter_mut().zip(["reading", "mean", "deviation"]) {
        argument.name = name.into();
    }
    assert_eq!(described[1], zscore);
    assert_eq!((described[2].arguments[0].value.nullable, &*described[2].result.data_type), (true, "Utf8"));

    let functions = Plugin::load(&library, &sidecar(&library, Abi::Vectorized, described.clone())).expect("it fits");
    let text = crate::functions::describe::describe(&functions[1].declaration);
    assert!(text.contains("Variation   : ZSCORE(reading DOUBLE, mean DOUBLE, deviation DOUBLE)"), "{text}");
    assert!(text.contains("Version     : 0.1.0"), "{text}");
    assert!(text.contains("How many standard deviations a reading is away from the mean; NULL where"), "{text}");
    assert!(!functions[1].declaration.volatile);
    let faults = load_vectorized("faults").expect("crates that were there a moment ago");
    let calls = faults.iter().find(|function| function.name == "CALLS").expect("a function with another name");
    assert!(calls.declaration.volatile);

    let mut differs = described;
    differs[1].arguments[0].value.nullable = true;
    let told = said(Plugin::load(&library, &sidecar(&library, Abi::Vectorized, differs)));
    assert!(
        told.contains("is not what its sidecar says: it has calibrate(Float64, Float64) -> Float64?, zscore(Float64, "),
        "{told}"
    );
    assert!(told.contains("the sidecar has calibrate(Float64, Float64) -> Float64?, zscore(Float64?, "), "{told}");
}

#[test]
fn libraries_with_the_same_symbols_live_side_by_side() {
    if in_child("libraries::libraries_with_the_same_symbols_live_side_by_side").is_some() {
        return;
    }
    let (Some(multiply), Some(shout)) = (multiply(), shout()) else { return };
    for _ in 0..10 {
        assert_eq!(product(&multiply).as_primitive::<Float64Type>().values(), &[4.0, 9.0]);
        let texts = vec![column(StringArray::from(vec!["a"])), column(Int32Array::from(vec![1]))];
        assert_eq!(call(&shout, texts).expect("a text").as_string::<i32>().value(0), "A!");
    }
}

#[test]
fn a_rebuilt_library_under_the_same_name_is_another_and_the_old_one_stays() {
    if in_child("libraries::a_rebuilt_library_under_the_same_name_is_another_and_the_old_one_stays").is_some() {
        return;
    }
    let (Some(multiply), Some(shout)) = (udfs::library("multiply"), udfs::library("shout")) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let load = |from: &Path, name: &str, arguments: &[&str], result: &str| {
        let library = copied(from, folder.path(), "libf.so");
        let sidecar = sidecar(&library, Abi::Arroyo, vec![signature(name, arguments, result)]);
        scalar(&Plugin::load(&library, &sidecar).expect("a library that loads")[0])
    };
    let before = load(&multiply, "f", &["Float64", "Float64"], "Float64");
    let after = load(&shout, "f", &["Utf8?", "Int32?"], "Utf8?");
    let texts = vec![column(StringArray::from(vec!["a"])), column(Int32Array::from(vec![1]))];
    assert_eq!(call(&after, texts).expect("a text").as_string::<i32>().value(0), "A!");
    assert_eq!(product(&before).as_primitive::<Float64Type>().values(), &[4.0, 9.0]);
    // And back: the content is known, nothing is opened again.
    let again = load(&multiply, "f", &["Float64", "Float64"], "Float64");
    assert_eq!(product(&again).as_primitive::<Float64Type>().values(), &[4.0, 9.0]);
    assert_ne!(before, again, "a replaced function is another one");
}

#[test]
fn a_library_is_never_closed() {
    if in_child("libraries::a_library_is_never_closed").is_some() {
        return;
    }
    let Some(library) = udfs::library("multiply") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let library = copied(&library, folder.path(), "libnever_closed.so");
    let sidecar = sidecar(&library, Abi::Arroyo, vec![signature("f", &["Float64", "Float64"], "Float64")]);
    let functions = Plugin::load(&library, &sidecar).expect("a library that loads");
    let result = product(&scalar(&functions[0]));
    drop(functions);
    drop(folder);
    let mapped = std::fs::read_to_string("/proc/self/maps").expect("this process's memory");
    assert!(mapped.contains("libnever_closed.so"), "the library is mapped");
    // Its memory is read, and given back to it.
    assert_eq!(result.as_primitive::<Float64Type>().values(), &[4.0, 9.0]);
    drop(result);
}
