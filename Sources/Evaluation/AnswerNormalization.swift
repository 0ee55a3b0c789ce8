/// The form in which answers are compared: lower case, without ASCII punctuation and the English
/// articles, words separated by one space.
///
/// The rule of SQuAD's evaluation script, which TyDi QA's gold passage task uses for every language.
public func normalizedAnswer(_ text: String) -> String {
  let scalars = Array(text.lowercased().unicodeScalars).filter { !isASCIIPunctuation($0) }
  return withoutArticles(scalars).split(whereSeparator: \.isWhitespace).joined(separator: " ")
}

private func isASCIIPunctuation(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar {
  case "!"..."/", ":"..."@", "["..."`", "{"..."~": true
  default: false
  }
}

/// Replaces each article that stands as a word of its own by a space, as Python's
/// `re.sub(r"\b(a|an|the)\b", " ", text)` does.
private func withoutArticles(_ scalars: [Unicode.Scalar]) -> String {
  var result = String.UnicodeScalarView()
  var rest = scalars[...]
  while let first = rest.first {
    let run = rest.prefix { isWord($0) == isWord(first) }
    rest = rest[run.endIndex...]
    let isArticle = [["a"], ["a", "n"], ["t", "h", "e"]].contains(Array(run))
    result.append(contentsOf: isArticle ? [" "] : Array(run))
  }
  return String(result)
}

/// Python's `\w`: letters, numbers and the underscore.
private func isWord(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    .decimalNumber, .letterNumber, .otherNumber:
    true
  default: scalar == "_"
  }
}
