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
        let fusion = try entry.optional("fusion", as: String.self)
        guard fusion == nil || fusion.flatMap(FusionFunction.init) != nil else {
          throw JSONFieldError(
            "\(entry.subject): 'fusion' is \"\(fusion ?? "")\", which is unknown")
        }
        modules[key] = Module(
          scaling: Float(try entry.required("scaling", as: Double.self)),
          fusion: fusion.flatMap(FusionFunction.init), isInWeights: try entry.required("in_weights")
        )
      }
      self.modules = modules
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    } catch {
      throw AdapterError(.configuration, directory, "\(error)")
    }
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
