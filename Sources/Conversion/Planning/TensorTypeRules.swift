import Files
import JSON
import Quantization
public import SystemPackage
import Tensors

/// What a caller says of the types of single tensors, beside a scheme or a preset.
public struct TensorTypeRules: Sendable {
  /// Tensors whose name a regular expression finds something in get a type.
  struct Pattern: Sendable {
    /// As it was given, `REGEX=TYPE`.
    let text: String
    let expression: String
    let typeName: String
  }

  /// The first that fits a name counts.
  private(set) var patterns: [Pattern] = []
  /// The tensors of a plan that was printed before, by name; nil when none is given.
  private(set) var planned: PlanFile?

  public init() {}

  /// Whether there is nothing to be obeyed.
  public var isEmpty: Bool { patterns.isEmpty && planned == nil }

  /// Adds a rule in the form `REGEX=TYPE`.
  ///
  /// - Throws: `ConversionError` when it has not that form.
  public mutating func append(_ text: String) throws(ConversionError) {
    // The last sign: an expression may have others.
    guard let sign = text.lastIndex(of: "="), sign > text.startIndex else {
      throw ConversionError(
        .usage, "--tensor-type '\(text)': expected REGEX=TYPE, such as 'ffn_down=q6_k'")
    }
    let pattern = Pattern(
      text: text, expression: String(text[..<sign]),
      typeName: String(text[text.index(after: sign)...]))
    _ = try pattern.regex()
    patterns.append(pattern)
  }

  /// Takes all types from a plan that `--plan --json` printed.
  ///
  /// - Throws: a `FlareError` when it is no such file.
  public mutating func take(planAt path: FilePath) throws { planned = try PlanFile(path) }

  /// Takes all types from a recipe.
  mutating func take(types: JSONObject) { planned = PlanFile(types: types) }

  /// What the rules say of the tensors of a destination, by name.
  ///
  /// - Parameters:
  ///   - tensors: as they would be without rules.
  ///   - form: what the types are for: names mean other types in a GGUF file than in a bundle.
  /// - Throws: `ConversionError` for a rule that fits no tensor, a type that the form has not or a
  ///   tensor cannot have, and a plan that is about another model.
  func choices(
    for tensors: [TensorInfo], in form: ConversionRequest.Form
  ) throws(ConversionError) -> [String: TensorTypeChoice] {
    if let planned { return try planned.choices(for: tensors, in: form) }
    var choices: [String: TensorTypeChoice] = [:]
    for pattern in patterns {
      let regex = try pattern.regex()
      let fitting = tensors.filter { (try? regex.firstMatch(in: $0.name)) != nil }
      guard !fitting.isEmpty else {
        throw ConversionError(
          .usage,
          "--tensor-type '\(pattern.text)': fits none of the \(tensors.count) tensors; their names "
            + "are such as '\(tensors.last?.name ?? "")', and --plan prints them")
      }
      for info in fitting where choices[info.name] == nil {
        let type = try elementType(
          named: pattern.typeName, for: info, in: form, "--tensor-type '\(pattern.text)'")
        choices[info.name] = TensorTypeChoice(type: type, reason: "--tensor-type \(pattern.text)")
      }
    }
    return choices
  }
}

extension TensorTypeRules.Pattern {
  func regex() throws(ConversionError) -> Regex<AnyRegexOutput> {
    do {
      return try Regex(expression)
    } catch {
      throw ConversionError(
        .usage, "--tensor-type '\(text)': '\(expression)' is no regular expression: \(error)")
    }
  }
}

/// The type that a tensor gets, and why.
struct TensorTypeChoice: Sendable, Hashable {
  let type: ElementType
  let reason: String
}

/// The type of that name for a tensor of a destination.
///
/// - Parameters:
///   - name: as options have it: `f32`, `int4`, `q4_k`, in any case.
///   - subject: who asks, for messages.
/// - Throws: `ConversionError` when the form has no such type, or the tensor cannot have it.
func elementType(
  named name: String, for info: TensorInfo, in form: ConversionRequest.Form, _ subject: String
) throws(ConversionError) -> ElementType {
  let types = form.elementTypes
  guard let type = types.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
    let known = types.map { $0.rawValue.lowercased() }.joined(separator: ", ")
    throw ConversionError(
      .usage, "\(subject): '\(name)' is no type of \(form.displayName), expected one of \(known)")
  }
  if type == info.elementType { return type }
  guard info.elementType.isComputable, 1...2 ~= info.shape.rank,
    type.byteCount(of: info.shape) != nil, info.shape.rank == 2 || !type.isQuantized
  else {
    throw ConversionError(
      .usage,
      "\(subject): '\(info.name)' is \(info.elementType) \(info.shape), which cannot become "
        + "\(type)")
  }
  guard !info.elementType.isQuantized || !type.isQuantized else {
    throw ConversionError(
      .badInput,
      "\(subject): '\(info.name)' is \(info.elementType) already; quantizing again would lose "
        + "more. Start from the unquantized model")
  }
  guard form != .gguf || info.shape.rank == 2 || type == .float32 else {
    throw ConversionError(
      .usage,
      "\(subject): '\(info.name)' is a vector, and ggml computes with vectors in F32 alone")
  }
  return type
}

extension ConversionRequest.Form {
  /// The types that Flare can write there.
  var elementTypes: [ElementType] {
    let floats: [ElementType] = [.float32, .float16, .bfloat16]
    return switch self {
    case .huggingFace: floats
    case .bundle, .bundleFile: floats + ElementType.quantizationTargets.filter(\.isGrouped)
    case .gguf: floats + ElementType.quantizationTargets.filter(\.isBlocked)
    }
  }

  var displayName: String {
    switch self {
    case .huggingFace: "a Hugging Face directory"
    case .bundle, .bundleFile: "a bundle"
    case .gguf: "a GGUF file"
    }
  }
}
