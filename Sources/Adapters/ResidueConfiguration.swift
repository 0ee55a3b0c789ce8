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

  struct Module {
    let scaling: Float
    let fusion: FusionFunction?
    let isInWeights: Bool
  }

  let name: String
  let modules: OrderedDictionary<String, Module>

  /// The configuration that describes `adapter`.
  init(_ adapter: Adapter) {
    name = adapter.name
    modules = OrderedDictionary(
      adapter.updates.map { update in
        let module = Module(
          scaling: update.scaling, fusion: update.fusion, isInWeights: update.isInWeights)
        return (update.module, module)
      },
      uniquingKeysWith: { _, last in last })
  }

  /// Reads what `json` writes.
  init(_ json: JSONValue, of directory: FilePath) throws(AdapterError) {
    do {
      let fields = try JSONFields(json, subject: Adapter.configurationName)
      let version = try fields.required("version", as: Int.self)
      guard version == 1 else {
        throw JSONFieldError(
          "\(fields.subject): 'version' is \(version), this version of Flare reads 1")
      }
      name = try fields.required("name")
      guard let entries = try fields.fields("modules") else {
        throw JSONFieldError("\(fields.subject): 'modules' is missing, expected an object")
      }
      var modules: OrderedDictionary<String, Module> = [:]
      for key in entries.members.keys {
        guard let entry = try entries.fields(key) else { continue }
        modules[key] = try Self.module(entry, named: key)
      }
      self.modules = modules
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    } catch {
      throw AdapterError(.configuration, directory, "\(error)")
    }
  }

  private static func module(
    _ fields: JSONFields, named name: String
  ) throws(JSONFieldError) -> Module {
    let fusionName = try fields.optional("fusion", as: String.self)
    let module = Module(
      scaling: Float(try fields.required("scaling", as: Double.self)),
      fusion: fusionName.flatMap(FusionFunction.init),
      isInWeights: try fields.required("in_weights"))
    guard module.scaling.isFinite, module.scaling != 0 else {
      throw JSONFieldError(
        "\(fields.subject): 'scaling' is \(module.scaling), expected a number other than 0")
    }
    guard (fusionName == nil) == (module.fusion == nil) else {
      throw JSONFieldError(
        "\(fields.subject): 'fusion' is \"\(fusionName ?? "")\", which is unknown")
    }
    if let fusion = module.fusion {
      guard Adapter.fuses(name) else {
        throw JSONFieldError("\(fields.subject): only q_proj and v_proj can have a 'fusion'")
      }
      guard fusion.isLinear || !module.isInWeights else {
        throw JSONFieldError(
          "\(fields.subject): '\(fusion.rawValue)' cannot be in the weights")
      }
    }
    return module
  }

  var json: JSONValue {
    let entries = modules.map { name, module in
      let entry: JSONValue = [
        "scaling": .number(Double(module.scaling)),
        "fusion": module.fusion.map { .string($0.rawValue) } ?? nil,
        "in_weights": .boolean(module.isInWeights),
      ]
      return (name, entry)
    }
    return [
      "peft_type": .string(Self.typeName), "version": 1, "name": .string(name),
      "modules": .object(JSONObject(entries)),
    ]
  }
}
