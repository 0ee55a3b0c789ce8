/// Which modules an adapter names, in PEFT's three spellings of `target_modules`.
///
/// Source: `peft/tuners/tuners_utils.py`, `check_target_module_exists`.
enum ModuleSelector: Sendable {
  /// A list: the module's name is an entry, or ends in a dot and an entry.
  case suffixes([String])
  /// A string: the whole name matches the expression.
  case expression(ModulePattern)
  /// `"all-linear"`: every linear layer but the output head; the others are called projections.
  case allLinear

  func selects(_ module: String) -> Bool {
    switch self {
    case .suffixes(let suffixes):
      suffixes.contains { module == $0 || module.hasSuffix(".\($0)") }
    case .expression(let pattern): pattern.matchesWhole(module)
    case .allLinear: module.hasSuffix("_proj")
    }
  }
}

/// A Python regular expression over module names.
struct ModulePattern: Sendable {
  let source: String
  // `Regex` is not Sendable, but one made from a string holds no closures and never changes.
  private nonisolated(unsafe) let regex: Regex<AnyRegexOutput>
  private nonisolated(unsafe) let suffixRegex: Regex<AnyRegexOutput>

  /// - Throws: what `Regex` says of a pattern it cannot read.
  init(_ source: String) throws {
    self.source = source
    unsafe regex = try Regex(source)
    unsafe suffixRegex = try Regex("(.*\\.)?(\(source))")
  }

  /// Python's `re.fullmatch(source, module)`.
  func matchesWhole(_ module: String) -> Bool {
    unsafe module.wholeMatch(of: regex) != nil
  }

  /// PEFT's rule for the keys of `rank_pattern` and `alpha_pattern`:
  /// `re.match(rf"(.*\.)?({key})$", module)`.
  func matchesSuffix(_ module: String) -> Bool {
    unsafe module.wholeMatch(of: suffixRegex) != nil
  }
}
