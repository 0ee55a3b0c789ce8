/// The form in which answers are compared: lower case, without ASCII punctuation and the English
/// articles, words separated by one space.
///
/// The rule of SQuAD's evaluation script, which TyDi QA's gold passage task uses for every language.
public func normalizedAnswer(_ text: String) -> String {
  let letters = text.lowercased().unicodeScalars.filter { !isASCIIPunctuation($0) }
  return String(String.UnicodeScalarView(letters))
    .split(whereSeparator: \.isWhitespace)
    .filter { !["a", "an", "the"].contains($0) }
    .joined(separator: " ")
}

private func isASCIIPunctuation(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar {
  case "!"..."/", ":"..."@", "["..."`", "{"..."~": true
  default: false
  }
}
