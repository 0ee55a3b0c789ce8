import Adapters
public import Kernels
public import Models
public import Tensors

/// What a model has to compute and to read for a token.
public struct ModelWork: Sendable {
  /// The type of most weights: that of the first layer's down projection.
  public let linearType: ElementType
  /// How many numbers the model has, without adapters.
  public let parameterCount: Int
  /// Bytes of all weights that a token needs, those of adapters included.
  public let weightByteCount: Int
  /// Products of a token with the linear layers, and with the output head.
  private let layerProductCount: Int
  private let headProductCount: Int
  private let configuration: ModelConfiguration

  /// - Parameter tensors: what `model` was made of.
  public init(_ model: LanguageModel, _ tensors: any TensorSource) {
    let configuration = model.configuration
    let embeddings = "model.embed_tokens.weight", head = "lm_head.weight"
    let infos = tensors.tensorInfos.filter { info in
      // Tied heads are read as the embeddings; of untied embeddings a token reads one row.
      info.name != (configuration.tiesWordEmbeddings ? head : embeddings)
    }
    self.configuration = configuration
    let layerInfos = infos.filter {
      $0.shape.rank == 2 && $0.name != head && $0.name != embeddings
    }
    linearType =
      tensors.info(named: "model.layers.0.mlp.down_proj.weight")?.elementType ?? .float32
    parameterCount = tensors.tensorInfos.reduce(0) { $0 + $1.shape.elementCount }
    layerProductCount = layerInfos.reduce(0) { $0 + $1.shape.elementCount }
    headProductCount = configuration.vocabularySize * configuration.hiddenSize
    let updates = model.adapters.updates(in: .withoutSource).values.joined()
    weightByteCount =
      infos.reduce(0) { $0 + $1.byteCount }
      + updates.reduce(0) { $0 + $1.loraA.byteCount + $1.loraB.byteCount }
  }

  /// Multiply-adds with weights that a test asks for, without those of attention.
  public func productCount(of test: BenchmarkTest) -> Int {
    let heads =
      switch test.kind {
      case .prefill: 1
      case .decode: test.tokenCount
      case .source: 0
      }
    return test.tokenCount * layerProductCount + heads * headProductCount
  }

  /// Bytes that each pass of a decode reads: the weights, and the keys and values of every text.
  public func byteCountPerPass(of test: BenchmarkTest, _ keyValueType: KeyValueType) -> Int {
    let positions = test.depth + (test.count + 1) / 2
    return weightByteCount
      + test.textCount * configuration.keyValueByteCount(seenAt: positions, keyValueType)
  }
}
