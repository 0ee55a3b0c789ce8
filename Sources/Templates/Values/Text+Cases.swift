extension Text {
  var uppercased: Text { Text(scalars.flatMap { $0.properties.uppercaseMapping.unicodeScalars }) }

  /// Lower case, with the sigma that ends a word as Python writes it.
  var lowercased: Text { Text(scalars.indices.flatMap(lowercaseMapping)) }

  private func lowercaseMapping(at index: Int) -> Text {
    guard scalars[index] == "\u{3A3}" else {
      return Text(scalars[index].properties.lowercaseMapping)
    }
    func isIgnored(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isCaseIgnorable }
    let before = scalars[..<index].last { !isIgnored($0) }
    let after = scalars[(index + 1)...].first { !isIgnored($0) }
    let endsWord = before?.properties.isCased == true && after?.properties.isCased != true
    return endsWord ? "\u{3C2}" : "\u{3C3}"
  }

  /// The first letter in title case, the rest in lower case.
  var capitalized: Text {
    guard let first else { return self }
    return Text(first.properties.titlecaseMapping) + self[1..<count].mappedLowercase(after: self)
  }

  /// The end of `whole` in lower case, as it is as a part of it.
  private func mappedLowercase(after whole: Text) -> Text {
    let offset = whole.count - count
    return Text((offset..<whole.count).flatMap(whole.lowercaseMapping))
  }

  /// Each run of letters capitalized, as `str.title` does.
  var titlecased: Text {
    var result = Text()
    var isInsideWord = false
    for index in indices {
      result +=
        isInsideWord
        ? lowercaseMapping(at: index) : Text(scalars[index].properties.titlecaseMapping)
      isInsideWord = scalars[index].properties.isCased
    }
    return result
  }

  /// Upper case letters in lower case and the others in upper case.
  var swappedCase: Text {
    var result = Text()
    for index in indices {
      let properties = scalars[index].properties
      result +=
        properties.isUppercase
        ? lowercaseMapping(at: index)
        : properties.isLowercase ? Text(properties.uppercaseMapping) : Text([scalars[index]])
    }
    return result
  }

  var isLowercase: Bool { isCased { $0.isLowercase } }
  var isUppercase: Bool { isCased { $0.isUppercase } }

  /// Whether there is a cased letter, and all that are cased pass the test.
  private func isCased(_ test: (Unicode.Scalar.Properties) -> Bool) -> Bool {
    let cased = scalars.lazy.map(\.properties).filter {
      $0.isUppercase || $0.isLowercase || $0.generalCategory == .titlecaseLetter
    }
    return !cased.isEmpty && cased.allSatisfy(test)
  }
}
