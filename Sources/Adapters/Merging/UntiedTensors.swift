import Tensors

/// A base whose head is its embeddings, with the head as a tensor of its own.
struct UntiedTensors: TensorSource {
  private let base: any TensorSource

  init(_ base: any TensorSource) { self.base = base }

  var tensorInfos: [TensorInfo] {
    let infos = base.tensorInfos.filter { $0.name != ModuleNames.outputHeadWeight }
    return infos + [info(named: ModuleNames.outputHeadWeight)].compactMap(\.self)
  }

  func info(named name: String) -> TensorInfo? {
    base.info(named: stored(name)).map {
      TensorInfo(name: name, shape: $0.shape, elementType: $0.elementType)
    }
  }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try base.tensor(named: stored(name))
  }

  func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try base.rows(rows, of: stored(name))
  }

  func rowMultiple(of name: String) -> Int { base.rowMultiple(of: stored(name)) }

  func prefetch(_ rows: Range<Int>, of name: String) { base.prefetch(rows, of: stored(name)) }

  private func stored(_ name: String) -> String {
    name == ModuleNames.outputHeadWeight ? ModuleNames.embeddingsWeight : name
  }
}
