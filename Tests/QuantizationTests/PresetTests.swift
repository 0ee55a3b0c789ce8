import JSON
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct `Presets of llama.cpp` {
  struct Model: Sendable, CustomTestStringConvertible {
    let name: String
    let architecture: String
    let layerCount: Int
    let tensors: [TensorInfo]
    let types: [String: [ElementType]]

    var testDescription: String { name }
  }

  private static let document = try? JSONValue(contentsOf: Vectors.path("blocks/presets.json"))

  static let models: [Model] = (document?["models"]?.array ?? []).compactMap { model in
    guard case .string(let name)? = model["name"],
      case .string(let architecture)? = model["architecture"],
      case .integer(let layerCount)? = model["layers"], let tensors = model["tensors"]?.array,
      case .object(let types)? = model["types"]
    else { return nil }
    return Model(
      name: name, architecture: architecture, layerCount: layerCount,
      tensors: tensors.compactMap(info),
      types: Dictionary(
        uniqueKeysWithValues: types.keys.map { preset in
          guard case .string(let list)? = types[preset] else { return (preset, []) }
          return (preset, list.split(separator: " ").compactMap { ElementType(rawValue: "\($0)") })
        }))
  }

  private static func info(_ pair: JSONValue) -> TensorInfo? {
    guard let pair = pair.array, case .string(let name) = pair[0], let extents = pair[1].array
    else { return nil }
    let shape = Shape(extents.map { if case .integer(let extent) = $0 { extent } else { 0 } })
    return TensorInfo(name: name, shape: shape, elementType: .float32)
  }

  @Test func `there are models to compare with`() {
    #expect(Self.models.count == 11)
    for model in Self.models { #expect(model.types.count == GGUFPreset.allCases.count) }
  }

  @Test(arguments: models, GGUFPreset.allCases)
  func `every tensor has the type that llama.cpp gives it`(model: Model, preset: GGUFPreset) throws
  {
    let expected = try #require(model.types[preset.rawValue])
    let found = preset.types(
      of: model.tensors, architecture: model.architecture, layerCount: model.layerCount)
    #expect(found.count == expected.count)
    let wrong = found.indices.filter { found[$0] != expected[$0] }
    #expect(wrong.map { "\(model.tensors[$0].name) \(found[$0]) \(expected[$0])" } == [])
  }

  @Test(arguments: GGUFPreset.allCases)
  func `a preset has llama.cpp's number, and is found by its name`(preset: GGUFPreset) {
    #expect(
      Self.document?["file_types"]?[preset.rawValue] == .integer(Int(preset.fileType)))
    #expect(GGUFPreset(named: preset.rawValue.lowercased()) == preset)
  }

  @Test func `a name without its last letter is the medium preset`() {
    #expect(GGUFPreset(named: "q4_k") == .q4KM && GGUFPreset(named: "Q5_K") == .q5KM)
    #expect(GGUFPreset(named: "Q7_K") == nil)
  }

  @Test func `what is no float keeps its type`() {
    let infos = [
      TensorInfo(name: "ids.weight", shape: [2, 32], elementType: .int32),
      TensorInfo(name: "blk.0.ffn_up.weight", shape: [2, 256], elementType: .blockQ2K),
    ]
    #expect(
      GGUFPreset.q4KM.types(of: infos, architecture: "llama", layerCount: 1) == [.int32, .blockQ2K])
  }
}
