//! Every shader is used, and none of them computes with floats: outcomes are the same bits on every vendor's GPU.

use crate::complaint::{Complaint, settle};
use crate::repository;

const SHADERS: &str = "shaders/";

/// `sources` are the string literals of the Rust sources, and the texts of the other shaders.
fn unused(shader: &str, sources: &[String]) -> Vec<Complaint> {
    let name = shader.strip_prefix(SHADERS).unwrap_or(shader);
    if sources.iter().any(|source| source.contains(name)) {
        return Vec::new();
    }
    vec![Complaint::new(
        shader,
        0,
        format!("nothing includes {name}; include it in crates/compute, or remove it"),
    )]
}

fn floats(shader: &str, text: &str) -> Vec<Complaint> {
    let message = |word: &str| {
        format!(
            "`{word}` is a float; use integers (fixed point, residues), whose results are the same on every GPU"
        )
    };
    let code = without_comments(text);
    code.lines()
        .enumerate()
        .flat_map(|(index, line)| {
            words(line).filter(|word| is_float(word)).map(move |word| (index + 1, word))
        })
        .map(|(line, word)| Complaint::new(shader, line, message(word)))
        .collect()
}

/// The text with comments blanked out; lines keep their numbers. WGSL's block comments nest.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let (mut depth, mut in_line) = (0_usize, false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('\n', _) => {
                in_line = false;
                code.push('\n');
            }
            ('/', Some('/')) if depth == 0 => in_line = true,
            ('/', Some('*')) if !in_line => {
                depth += 1;
                rest.next();
            }
            ('*', Some('/')) if depth > 0 && !in_line => {
                depth -= 1;
                rest.next();
                code.push(' ');
            }
            _ if depth == 0 && !in_line => code.push(character),
            _ => {}
        }
    }
    code
}

/// Names and numbers; a number keeps its point, exponent's digits and suffix.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_alphanumeric() || character == '_' || character == '.'))
        .filter(|word| !word.is_empty())
}

fn is_float(word: &str) -> bool {
    const TYPES: &[&str] = &["f16", "f32", "f64"];
    let starts_like_a_number = word.trim_start_matches('.').starts_with(|first: char| first.is_ascii_digit());
    if starts_like_a_number {
        let is_hexadecimal = word.starts_with("0x") || word.starts_with("0X");
        return word.contains('.') || !is_hexadecimal && word.contains(['f', 'h', 'e', 'E']);
    }
    // `vec3f` and `mat4x4h` are short for vectors and matrices of floats; members follow a point.
    let head = word.split('.').next().unwrap_or_default();
    let is_short = (head.starts_with("vec") || head.starts_with("mat"))
        && head.len() <= "mat4x4f".len()
        && head.ends_with(['f', 'h'])
        && head[3..].starts_with(|digit: char| digit.is_ascii_digit());
    TYPES.contains(&head) || is_short || head.starts_with("bitcast_f32")
}

#[test]
fn every_shader_is_included() {
    let shaders = repository::files_under(SHADERS, ".wgsl");
    let literals: Vec<String> =
        repository::rust_sources().iter().flat_map(|source| source.strings.iter().cloned()).collect();
    let complaints = shaders.iter().flat_map(|shader| {
        let others = shaders.iter().filter(|other| *other != shader).map(|other| repository::page(other));
        let sources: Vec<String> = literals.iter().cloned().chain(others).collect();
        unused(shader, &sources)
    });
    settle("shaders in use", complaints);
}

#[test]
fn no_shader_computes_with_floats() {
    let shaders = repository::files_under(SHADERS, ".wgsl");
    settle("floats", shaders.iter().flat_map(|shader| floats(shader, &repository::page(shader))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shader_that_nothing_includes_is_caught() {
        let included = ["\"../../../shaders/add.wgsl\"".to_owned()];
        assert_eq!(unused("shaders/add.wgsl", &included), []);
        assert_eq!(unused("shaders/shared/carry.wgsl", &included).len(), 1);
    }

    #[test]
    fn floats_are_caught_in_types_and_literals() {
        for line in [
            "let x: f32 = y;",
            "vec3<f16>(a)",
            "vec2f(a)",
            "mat4x4h()",
            "a * 0.5",
            ".5",
            "1.",
            "2f",
            "1e9",
            "0x1.8p1",
        ] {
            assert_eq!(
                floats("shaders/a.wgsl", &format!("\n{line}")).first().map(|found| found.line),
                Some(2),
                "{line}"
            );
        }
    }

    #[test]
    fn integers_members_and_comments_are_no_floats() {
        let text = "// a float: 0.5 f32\n/* 1.0 /* nested f16 */ f32 */ let x: u32 = 0xffu + 12u;\nlet y = v.xy + params.f;\n\
                    let buff = vec4u(1u); let h = 3i; let e2 = id.x;\n";
        assert_eq!(floats("shaders/a.wgsl", text), []);
    }
}
