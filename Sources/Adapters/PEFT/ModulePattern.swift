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

  /// Whether an entry of the list is the module's whole name.
  func names(_ module: String) -> Bool {
    if case .suffixes(let suffixes) = self { suffixes.contains(module) } else { false }
  }
}

/// A pattern that could take longer to match than anyone waits.
struct PatternTooComplex: Error {}

/// A Python regular expression over module names.
struct ModulePattern: Sendable {
  let source: String
  // `Regex` is not Sendable, but one made from a string holds no closures and never changes.
  private nonisolated(unsafe) let regex: Regex<AnyRegexOutput>
  private nonisolated(unsafe) let suffixRegex: Regex<AnyRegexOutput>

  /// - Throws: `PatternTooComplex`, or what `Regex` says of a pattern it cannot read.
  init(_ source: String) throws {
    guard Self.isQuick(source) else { throw PatternTooComplex() }
    self.source = source
    unsafe regex = try Regex(source)
    unsafe suffixRegex = try Regex("(.*\\.)?(\(source))")
  }

  /// Repetitions without an end that a pattern may have.
  private static let maximumRepetitionCount = 6
  /// Parts that may be absent that a pattern may have.
  private static let maximumOptionCount = 12

  /// Whether matching a module's name takes a bearable time, whatever the name.
  ///
  /// A repeated group that can match in several ways, `(a+)+` or `(.|a)*`, takes exponential time;
  /// each `.*` in a row multiplies the time by the length of the name, each `.?` by two.
  private static func isQuick(_ source: String) -> Bool {
    var (repetitions, options) = (0, 0)
    // Whether each open group, the whole pattern first, can match in several ways.
    var groups = [false]
    var closedGroupVaries = false
    var (isEscaped, isInClass) = (false, false)
    var previous: Character = "("
    for character in source {
      defer { previous = isEscaped || isInClass ? "a" : character }
      let followsVaryingGroup = closedGroupVaries
      closedGroupVaries = false
      if isEscaped {
        isEscaped = false
        continue
      }
      switch character {
      case "\\": isEscaped = true
      case "]": isInClass = false
      case _ where isInClass: break
      case "[": isInClass = true
      case "(": groups.append(false)
      case ")" where groups.count > 1:
        closedGroupVaries = groups.removeLast()
        if closedGroupVaries { groups[groups.count - 1] = true }
      case "|": groups[groups.count - 1] = true
      case "*", "+", "{":
        if followsVaryingGroup { return false }
        repetitions += 1
        groups[groups.count - 1] = true
      case "?" where !["(", "*", "+", "}", "?"].contains(previous):
        options += 1
        groups[groups.count - 1] = true
      default: break
      }
    }
    return repetitions <= maximumRepetitionCount && options <= maximumOptionCount
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
