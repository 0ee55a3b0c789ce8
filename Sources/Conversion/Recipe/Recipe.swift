import Adapters
import Bundles
import Files
import JSON
import Models
import Quantization
import SystemPackage
import Tensors

/// What was done to make a bundle, from what: enough to do it again.
///
/// `formats/bundle.md` describes the fields.
struct Recipe: Sendable, Hashable {
  /// An adapter that went in, in order.
  struct AdapterInput: Sendable, Hashable {
    let name: String
    let weight: Float
    /// The files of its directory, or the file that it is.
    let files: [BundleManifest.File]
  }

  /// The model that went in.
  let model: BundleManifest.Base
  let adapters: [AdapterInput]
  /// What was asked for; see `ConversionRequest.recipeOptions`.
  let options: JSONObject

  /// - Parameter model: what went in, as far as it is known.
  init(_ request: ConversionRequest, model: BundleManifest.Base) throws(FileError) {
    self.model = model
    var adapters: [AdapterInput] = []
    for member in request.adapters {
      adapters.append(
        AdapterInput(
          name: member.adapter.name, weight: member.weight,
          files: try Self.files(at: member.adapter.path)))
    }
    self.adapters = adapters
    options = request.recipeOptions
  }

  /// The hashed files of an adapter.
  static func files(at path: FilePath) throws(FileError) -> [BundleManifest.File] {
    guard path.isDirectory else {
      return [try BundleManifest.File(hashing: path, as: path.lastComponent?.string ?? "")]
    }
    var files: [BundleManifest.File] = []
    for name in try path.directoryEntries() where path.appending(name).isRegularFile {
      files.append(try BundleManifest.File(hashing: path.appending(name), as: name))
    }
    return files
  }
}

extension Recipe {
  var json: JSONValue {
    [
      "model": model.json,
      "adapters": .array(
        adapters.map {
          [
            "name": .string($0.name), "weight": .number(Double($0.weight)),
            "files": .array($0.files.map(\.json)),
          ]
        }),
      "options": .object(options),
    ]
  }

  /// - Throws: `JSONFieldError` when a field is missing or wrong.
  init(_ json: JSONValue, subject: String) throws(JSONFieldError) {
    let fields = try JSONFields(json, subject: "\(subject): 'recipe'")
    guard let model = try fields.fields("model") else {
      throw JSONFieldError("\(fields.subject): 'model' is missing")
    }
    self.model = try BundleManifest.Base(model)
    adapters = try fields.list("adapters") { (fields) throws(JSONFieldError) in
      AdapterInput(
        name: try fields.required("name"),
        weight: Float(try fields.required("weight", as: Double.self)),
        files: try fields.list("files", of: BundleManifest.File.init))
    }
    options = fields["options"]?.object ?? JSONObject()
  }
}

extension ConversionRequest {
  /// All that was asked for and is not what it is without being asked for.
  var recipeOptions: JSONObject {
    var options = JSONObject()
    if let quantization {
      options["quantize"] = .string(quantization.linearType.rawValue)
    }
    if let elementType { options["dtype"] = .string(elementType.rawValue) }
    if isSourceFree { options["no_source"] = true }
    if merging.rounding != .once { options["rounding"] = .string(merging.rounding.rawValue) }
    if merging.allowsZero { options["allow_zero"] = true }
    if merging.mergesIntoQuantized { options["into_quantized"] = true }
    if let alignment = merging.sourceAlignment {
      options["source_alignment"] = .string(alignment.rawValue)
    }
    if let combination = merging.combination { options["combine"] = combination.json }
    if !types.patterns.isEmpty {
      options["tensor_types"] = .array(types.patterns.map { .string($0.text) })
    }
    if !probes.isEmpty {
      options["probes"] = .array(
        probes.map {
          let source = $0.sourceTokens.map { JSONValue.array($0.map { .integer($0) }) }
          return [
            "tokens": .array($0.tokens.map { .integer($0) }), "source_tokens": source ?? .null,
          ]
        })
    }
    if let planned = types.planned { options["planned_types"] = .object(planned.typeNames) }
    return options
  }

  /// The request that a recipe describes.
  ///
  /// - Throws: `ConversionError` for an option that this version does not know.
  init(
    _ recipe: Recipe, model: ModelFiles, adapters: [AdapterStack.Member], to destination: FilePath,
    form: Form
  ) throws {
    var merging = MergeOptions()
    var types = TensorTypeRules()
    var quantization: QuantizationScheme?
    var elementType: ElementType?
    var isSourceFree = false
    var probes: [NumericProbes.Question] = []
    for (key, value) in recipe.options {
      switch (key, value) {
      case ("quantize", "int8"): quantization = .int8
      case ("quantize", "int4"): quantization = .int4
      case ("dtype", .string(let name)): elementType = ElementType(rawValue: name)
      case ("no_source", true): isSourceFree = true
      case ("rounding", "twice"): merging.rounding = .twice
      case ("allow_zero", true): merging.allowsZero = true
      case ("into_quantized", true): merging.mergesIntoQuantized = true
      case ("source_alignment", .string(let name)):
        merging.sourceAlignment = SourceAlignment(rawValue: name)
      case ("combine", let method): merging.combination = CombinationMethod(json: method)
      case ("tensor_types", .array(let rules)):
        for case .string(let rule) in rules { try types.append(rule) }
      case ("probes", .array(let questions)):
        probes = questions.map {
          NumericProbes.Question(
            tokens: $0["tokens"]?.array?.compactMap(\.integer) ?? [],
            sourceTokens: $0["source_tokens"]?.array?.compactMap(\.integer))
        }
      case ("planned_types", .object(let names)): types.take(types: names)
      default:
        throw ConversionError(
          .badInput,
          "the recipe has the option '\(key)' with \(value.shortDescription), which this version does "
            + "not know")
      }
    }
    self.init(
      model: model, adapters: adapters, destination: destination, form: form,
      quantization: quantization, elementType: elementType, isSourceFree: isSourceFree,
      merging: merging)
    self.types = types
    self.probes = probes
  }
}

extension CombinationMethod {
  fileprivate var json: JSONValue {
    switch self {
    case .linear: ["method": "linear"]
    case .ties(let density): ["method": "ties", "density": .number(density)]
    case .dareLinear(let density, let seed), .dareTies(let density, let seed):
      [
        "method": .string(name), "density": .number(density),
        "seed": .string(String(seed)),
      ]
    }
  }

  fileprivate init?(json: JSONValue) {
    let density = json["density"]?.number ?? 1
    let seed = json["seed"]?.string.flatMap { UInt64($0) } ?? 0
    switch json["method"]?.string {
    case "linear": self = .linear
    case "ties": self = .ties(density: density)
    case "dare-linear": self = .dareLinear(density: density, seed: seed)
    case "dare-ties": self = .dareTies(density: density, seed: seed)
    default: return nil
    }
  }
}
