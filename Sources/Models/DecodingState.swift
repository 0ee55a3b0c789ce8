import Adapters
import Kernels

/// What a model keeps of one text: its KV caches, and the source that it reads.
///
/// The weights it is used with stay as they are, and the room to work in belongs to whoever runs
/// passes: both can serve many texts.
final class DecodingState {
  let pass: ForwardPass
  let source: PairedSource?
  /// How positions turn queries and keys of this text, which is up to `capacity` long.
  let rope: TextRope
  let localRope: TextRope?
  /// One per layer.
  let caches: [KeyValueCache]
  /// How many positions have gone through the model.
  private(set) var positionCount = 0
  let capacity: Int

  /// - Parameters:
  ///   - capacity: the longest text the state can hold, in tokens.
  ///   - keyValueType: how keys and values are kept.
  ///   - chunkSize: the most positions that go through the model together.
  init(
    _ configuration: ModelConfiguration, capacity: Int, pass: ForwardPass,
    source: PairedSource? = nil, keyValueType: KeyValueType,
    chunkSize: Int = Workspace.chunkSize
  ) {
    precondition((pass == .target) == (source != nil), "Source states belong to the target pass")
    self.pass = pass
    self.source = source
    self.capacity = capacity
    rope = TextRope(configuration.rope, length: capacity)
    localRope = configuration.localRope.map { TextRope($0, length: capacity) }
    caches = configuration.slidingWindows.map { window in
      KeyValueCache(
        capacity: capacity, headCount: configuration.keyValueHeadCount,
        headDimension: configuration.headDimension, window: window, type: keyValueType,
        chunkSize: chunkSize)
    }
  }

  func advance(by count: Int) { positionCount += count }

  /// Forgets all positions from `count` on: candidates that were not the text.
  func truncate(to count: Int) {
    for cache in caches { cache.truncate(to: count) }
    positionCount = count
  }

  /// Makes the text `count` positions long with rows of `noise`, `[rows, keyValueWidth]`, for keys
  /// and values.
  func fill(to count: Int, _ noise: borrowing FloatMatrix, _ kernels: Kernels) {
    while positionCount < count {
      let rows = 0..<min(count - positionCount, noise.rowCount)
      for cache in caches { kernels.append(keys: noise, values: noise, rows: rows, to: cache) }
      advance(by: rows.count)
    }
  }
}
