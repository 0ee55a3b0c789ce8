extension String {
  /// The text with `\n` written out as a line break, since shells make real ones awkward.
  var withLineBreaks: String {
    var result = ""
    var rest = self[...]
    while let backslash = rest.firstIndex(of: "\\") {
      result += rest[..<backslash]
      rest = rest[backslash...]
      if rest.hasPrefix("\\n") {
        result += "\n"
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("\\\\") {
        result += "\\"
        rest = rest.dropFirst(2)
      } else {
        result += "\\"
        rest = rest.dropFirst()
      }
    }
    return result + rest
  }
}
