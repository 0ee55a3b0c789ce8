import Files
import JSON
import OrderedCollections
import SystemPackage

/// `adapter_config.json` of what a merge could not put into the weights.
///
/// The tensors are named as PEFT names them, but the type is one that PEFT refuses: applied as a
/// plain adapter, modules that are merged already would act twice. `formats/residue.md` specifies
/// the file.
struct ResidueConfiguration {
  static let typeName = "FLARE_RESIDUE"
  /// Version 1 knew neither replacements, nor heads, nor an alignment.
  private static let currentVersion = 2

  struct Module {
    let scaling: Float
    let fusion: FusionFunction?
    /// Of `cross-attention`; 1 for all other functions.
    let headCount: Int
    let isInWeights: Bool
  }

  /// A tensor of the base that another takes the place of.
  struct Replacement {
    let name: String
    let rows: [Int]?
    let origin: TensorReplacement.Origin
  }

  let name: String
  let modules: OrderedDictionary<String, Module>
  let replacements: [Replacement]
  let alignment: SourceAlignment
  /// Whether what it does to embeddings it does to a tied head.
  let keepsWeightTying: Bool

  /// The configuration that describes `adapter`.
  init(_ adapter: Adapter) {
    name = adapter.name
    modules = OrderedDictionary(
      adapter.updates.map { update in
        let module = Module(
          scaling: update.scaling, fusion: update.fusion,
          headCount: update.crossAttention?.headCount ?? 1, isInWeights: update.isInWeights)
        return (update.module, module)
      },
      uniquingKeysWith: { _, last in last })
    replacements = adapter.replacements.map {
      Replacement(name: $0.name, rows: $0.rows, origin: $0.origin)
    }
    alignment = adapter.sourceAlignment
    keepsWeightTying = adapter.keepsWeightTying
  }

  var json: JSONValue {
    let entries = modules.map { name, module in
      var entry: JSONObject = [
        "scaling": .number(Double(module.scaling)),
        "fusion": module.fusion.map { .string($0.rawValue) } ?? nil,
        "in_weights": .boolean(module.isInWeights),
      ]
      if module.fusion == .crossAttention {
        entry["num_attention_heads"] = .integer(module.headCount)
      }
      return (name, JSONValue.object(entry))
    }
    var document: JSONObject = [
      "peft_type": .string(Self.typeName), "version": .integer(Self.currentVersion),
      "name": .string(name), "source_alignment": .string(alignment.rawValue),
      "modules": .object(JSONObject(entries)),
    ]
    if !replacements.isEmpty {
      document["replacements"] = .array(replacements.map(\.json))
    }
    if keepsWeightTying { document["keeps_weight_tying"] = true }
    return .object(document)
  }
}

extension ResidueConfiguration {
  /// Reads what `json` writes.
  init(_ json: JSONValue, of directory: FilePath) throws(AdapterError) {
    do {
      let fields = try JSONFields(json, subject: Adapter.configurationName)
      let version = try fields.required("version", as: Int.self)
      guard 1...Self.currentVersion ~= version else {
        throw JSONFieldError(
          "\(fields.subject): 'version' is \(version), this version of Flare reads up to "
            + "\(Self.currentVersion)")
      }
      name = try fields.required("name")
      guard let entries = try fields.fields("modules") else {
        throw JSONFieldError("\(fields.subject): 'modules' is missing, expected an object")
      }
      var modules: OrderedDictionary<String, Module> = [:]
      for key in entries.members.keys {
        guard let entry = try entries.fields(key) else { continue }
        modules[key] = try Module(entry, named: key)
      }
      self.modules = modules
      replacements = try (fields["replacements"]?.array ?? []).map {
        try Replacement(JSONFields($0, subject: "\(fields.subject): 'replacements'"))
      }
      alignment = try fields.choice("source_alignment") ?? .right
      keepsWeightTying = try fields.optional("keeps_weight_tying") ?? false
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    } catch {
      throw AdapterError(.configuration, directory, "\(error)")
    }
  }
}

extension ResidueConfiguration.Module {
  fileprivate init(_ fields: JSONFields, named name: String) throws(JSONFieldError) {
    scaling = Float(try fields.required("scaling", as: Double.self))
    fusion = try fields.choice("fusion")
    headCount = try fields.optional("num_attention_heads") ?? 1
    isInWeights = try fields.required("in_weights")
    guard scaling.isFinite, scaling != 0 else {
      throw JSONFieldError(
        "\(fields.subject): 'scaling' is \(scaling), expected a number other than 0")
    }
    guard let fusion else { return }
    guard Adapter.fuses(name) else {
      throw JSONFieldError("\(fields.subject): only q_proj and v_proj can have a 'fusion'")
    }
    guard fusion.isLinear || !isInWeights else {
      throw JSONFieldError("\(fields.subject): '\(fusion.rawValue)' cannot be in the weights")
    }
  }
}

extension ResidueConfiguration.Replacement {
  fileprivate init(_ fields: JSONFields) throws(JSONFieldError) {
    name = try fields.required("tensor")
    rows = try fields.optional("rows")
    guard let origin: TensorReplacement.Origin = try fields.choice("origin") else {
      throw JSONFieldError("\(fields.subject): 'origin' is missing, expected a string")
    }
    self.origin = origin
    guard
      rows.map({ !$0.isEmpty && Set($0).count == $0.count && $0.allSatisfy { $0 >= 0 } }) ?? true
    else {
      throw JSONFieldError("\(fields.subject): 'rows' are not different rows of a matrix")
    }
  }

  fileprivate var json: JSONValue {
    var document: JSONObject = ["tensor": .string(name), "origin": .string(origin.rawValue)]
    if let rows { document["rows"] = .array(rows.map { .integer($0) }) }
    return .object(document)
  }
}
