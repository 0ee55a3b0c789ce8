public import Adapters
public import Kernels
public import Models
public import Quantization
import Synchronization
import SystemPackage
public import Tensors

/// Weights and adapters that nobody trained, for measuring how fast a shape runs.
///
/// Weights are of a size that keeps activations of order 1, so that no shortcut for zeros or
/// infinities flatters a kernel.
public enum RandomModel {
  /// All tensors of a checkpoint, in memory that has been written to.
  ///
  /// - Parameter scheme: nil for BF16.
  public static func tensors(
    of configuration: ModelConfiguration, _ scheme: QuantizationScheme?, with kernels: Kernels
  ) -> TensorTable {
    let infos = configuration.tensorInfos.map { scheme?.info(after: $0) ?? $0 }
    let tensors = Mutex<[Int: Tensor]>([:])
    kernels.pool.parallelFor(count: infos.count) { range in
      for index in range {
        var random = SplitMix64(state: UInt64(index))
        let tensor = tensor(infos[index], of: configuration, using: &random)
        tensors.withLock { $0[index] = tensor }
      }
    }
    return TensorTable(
      tensors.withLock { tensors in
        infos.enumerated().compactMap { index, info in tensors[index].map { (info.name, $0) } }
      })
  }

  private static func tensor(
    _ info: TensorInfo, of configuration: ModelConfiguration, using random: inout SplitMix64
  ) -> Tensor {
    // A norm of ±1, or of 1 ± 1/8 where one is added; rows of unit length for all that multiplies.
    let magnitude: Float =
      if info.shape.rank == 1 {
        configuration.normsAreOffsetByOne ? 0.125 : 1
      } else {
        1 / Float(info.shape[1]).squareRoot()
      }
    return Tensor(random: info.shape, info.elementType, magnitude: magnitude, using: &random)
  }

  /// An adapter of every linear layer.
  ///
  /// - Parameter fusion: how q and v join in a source text; nil for plain LoRA.
  public static func adapter(
    of configuration: ModelConfiguration, rank: Int, fusion: FusionFunction? = nil
  ) -> AdapterStack.Member {
    var random = SplitMix64(state: 1)
    let linears = (0..<configuration.layerCount).flatMap { configuration.linears(ofLayer: $0) }
    let updates = linears.map { module, shape in
      LowRankUpdate(
        module: module,
        loraA: Tensor(
          random: [rank, shape[1]], .float32, magnitude: 1 / Float(shape[1]).squareRoot(),
          using: &random),
        loraB: Tensor(random: [shape[0], rank], .float32, magnitude: 0.01, using: &random),
        scaling: 2, fusion: fuses(module) ? fusion : nil)
    }
    let name = fusion == nil ? "random LoRA" : "random FLARE"
    return AdapterStack.Member(
      Adapter(path: FilePath(name), form: .peft, fusion: fusion, updates: updates))
  }

  private static func fuses(_ module: String) -> Bool {
    module.hasSuffix(".q_proj") || module.hasSuffix(".v_proj")
  }
}
