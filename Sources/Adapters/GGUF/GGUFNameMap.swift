/// From Hugging Face's names to GGUF's and back, for one architecture.
///
///     GGUFNameMap(.llama).ggufTensor("model.layers.3.self_attn.q_proj.weight")
///     // "blk.3.attn_q.weight"
public struct GGUFNameMap: Sendable {
  public let architecture: GGUFArchitecture
  private let byHuggingFace: [String: GGUFModuleName]
  private let byGGUF: [String: GGUFModuleName]

  public init(_ architecture: GGUFArchitecture) {
    self.architecture = architecture
    let rows = GGUFModuleName.all.filter { $0.architectures.contains(architecture) }
    byHuggingFace = Dictionary(uniqueKeysWithValues: rows.map { ($0.huggingFace, $0) })
    byGGUF = Dictionary(uniqueKeysWithValues: rows.map { ($0.gguf, $0) })
  }

  /// GGUF's name of the tensor that Hugging Face calls `name`, or nil when it has none.
  public func ggufTensor(_ name: String) -> String? {
    Self.tensor(name) { module in ggufModule(module) }
  }

  /// Hugging Face's name of the tensor that GGUF calls `name`, or nil when it has none.
  public func huggingFaceTensor(_ name: String) -> String? {
    Self.tensor(name) { module in huggingFaceModule(module) }
  }

  /// GGUF's name of a module, `blk.3.attn_q` for `model.layers.3.self_attn.q_proj`.
  func ggufModule(_ name: String) -> (name: String, role: GGUFModuleName.Role)? {
    Self.module(name, in: byHuggingFace, \.gguf)
  }

  /// Hugging Face's name of a module, `model.layers.3.self_attn.q_proj` for `blk.3.attn_q`.
  func huggingFaceModule(_ name: String) -> (name: String, role: GGUFModuleName.Role)? {
    Self.module(name, in: byGGUF, \.huggingFace)
  }

  private static func tensor(
    _ name: String, _ module: (String) -> (name: String, role: GGUFModuleName.Role)?
  ) -> String? {
    for suffix in [".weight", ".bias"] where name.hasSuffix(suffix) {
      guard let (other, role) = module(String(name.dropLast(suffix.count))) else { return nil }
      return suffix == ".weight" || role.hasBias ? other + suffix : nil
    }
    return nil
  }

  private static func module(
    _ name: String, in rows: [String: GGUFModuleName], _ spelling: KeyPath<GGUFModuleName, String>
  ) -> (name: String, role: GGUFModuleName.Role)? {
    var components = name.split(separator: ".", omittingEmptySubsequences: false)
    // A layer as Int spells it: "03" would be a second name of layer 3.
    let layerIndex = components.firstIndex { Int($0).map { $0 >= 0 } ?? false }
    let layer = layerIndex.map { components[$0] }
    if let layerIndex, let layer {
      guard Int(layer).map({ "\($0)" == layer }) == true else { return nil }
      components[layerIndex] = "N"
    } else if components.contains("N") {
      return nil
    }
    guard let row = rows[components.joined(separator: ".")] else { return nil }
    let other = row[keyPath: spelling].split(separator: ".").map { $0 == "N" ? layer ?? $0 : $0 }
    return (other.joined(separator: "."), row.role)
  }
}
