import JSON
public import SystemPackage
import Tensors

extension Adapter {
  /// Writes the adapter as MLX reads it.
  ///
  /// MLX has one rank and one scale for all modules: smaller ranks are filled up with zeros, and
  /// what a module's scaling differs from that of the first goes into its `lora_b`.
  ///
  /// - Throws: `AdapterError` naming the module that MLX cannot express, or `FileError`; then
  ///   nothing is left behind.
  public func writeMLX(to path: FilePath, mayReplace: Bool = false) throws {
    try checkPlain(for: "an MLX adapter", allowingDoRA: true)
    guard let first = updates.first else {
      throw AdapterError(.tensors, self.path, "holds no updates")
    }
    let usesDoRA = first.magnitude != nil
    for update in updates
    where (update.magnitude != nil) != usesDoRA || usesDoRA && update.isEmbedding {
      throw AdapterError(
        .unsupported, self.path,
        "'\(update.module)' and '\(first.module)' cannot both be in an MLX adapter: DoRA is for all "
          + "layers there, and its lengths of embeddings are other ones")
    }
    let rank = updates.map(\.rank).max() ?? first.rank
    let configuration: JSONValue = [
      "fine_tune_type": .string(usesDoRA ? "dora" : "lora"),
      // All layers: modules that are not in the file stay as they are.
      "num_layers": -1,
      "lora_parameters": [
        "rank": .integer(rank), "scale": .number(Double(first.scaling)), "dropout": 0.0,
        "keys": .array(mlxKeys.map { .string($0) }),
      ],
      "model": baseModelName.map { .string($0) } ?? nil,
    ]
    try Self.write(
      configuration, updates.flatMap { $0.mlxTensors(rank: rank, scale: first.scaling) },
      named: Self.mlxWeightsName, to: path, mayReplace: mayReplace)
  }

  /// The adapted modules as MLX names them inside a layer, each once: `self_attn.q_proj`.
  private var mlxKeys: [String] {
    var seen: Set<String> = []
    return updates.map { update in
      let parts = update.module.split(separator: ".")
      // `model.layers.N.` is not part of a key.
      return parts.count > 3 && parts[1] == "layers"
        ? parts[3...].joined(separator: ".") : update.module
    }.filter { seen.insert($0).inserted }
  }
}

extension LowRankUpdate {
  /// The tensors as MLX names and orients them.
  fileprivate func mlxTensors(rank: Int, scale: Float) -> [(String, Tensor)] {
    let factor = scaling / scale
    let inputs = (isEmbedding ? loraB : loraA.transposed).widened(to: rank)  // [in, r]
    let outputs = (isEmbedding ? loraA.transposed : loraB).widened(to: rank).transposed  // [r, out]
    let pair = [
      ("\(module).lora_a", inputs),
      ("\(module).lora_b", factor == 1 ? outputs : outputs.scaled(by: factor)),
    ]
    return pair + (magnitude.map { [("\(module).m", $0)] } ?? [])
  }
}

extension Tensor {
  /// The float32 matrix `[rows, r]` with zeros in columns up to `columnCount`.
  fileprivate func widened(to columnCount: Int) -> Tensor {
    let own = shape[1]
    guard own < columnCount else { return self }
    let elements = floatElements
    return Tensor(
      (0..<shape[0] * columnCount).map { index in
        let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
        return column < own ? elements[row * own + column] : 0
      }, shape: [shape[0], columnCount])
  }
}
