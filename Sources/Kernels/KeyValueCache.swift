import CKernels

/// The keys and values that one layer keeps of one text.
///
/// One per layer and session. Rows are added with `Kernels.append` and read by `Kernels.attend`. A
/// layer with a window keeps only what its next rows can see, whatever the length of the text.
public final class KeyValueCache {
  public let headCount: Int
  public let headDimension: Int
  /// How many positions a query sees, its own included; nil for all.
  public let window: Int?
  public let type: KeyValueType
  /// The most rows that can be added at once.
  public let chunkSize: Int
  /// The longest text, in positions.
  public let capacity: Int
  /// How many positions the text has so far.
  public private(set) var positionCount = 0
  /// How many positions have been written since the text was last empty, forgotten ones included:
  /// the room of older ones is taken.
  private var writtenCount = 0
  private let tiles: AlignedBuffer<UInt8>
  private let tileCount: Int
  /// Room for what `Kernels.attend` knows of each segment of the text.
  private var partials = AlignedBuffer<Float>(count: 0)

  /// An empty cache.
  ///
  /// Memory is reserved whole, but the system provides a page of it only when it is first written,
  /// so a long capacity costs a short text nothing.
  ///
  /// - Parameters:
  ///   - capacity: the longest text, in positions.
  ///   - headCount: key-value heads.
  ///   - type: how numbers are kept.
  ///   - chunkSize: the most rows that are added at once, which is also how far a text with a window
  ///     can be truncated; nil for any number.
  public init(
    capacity: Int, headCount: Int, headDimension: Int, window: Int?, type: KeyValueType = .float16,
    chunkSize: Int? = nil
  ) {
    precondition(capacity >= 0 && headCount > 0, "Capacity or head count out of bounds")
    precondition(
      1...Kernels.maximumHeadDimension ~= headDimension, "Head dimension out of bounds")
    precondition(window ?? 1 > 0 && chunkSize ?? 1 > 0, "Window or chunk out of bounds")
    self.capacity = capacity
    self.headCount = headCount
    self.headDimension = headDimension
    self.window = window
    self.type = type
    self.chunkSize = chunkSize ?? max(1, capacity)
    tileCount = Self.tileCount(capacity: capacity, window: window, chunkSize: self.chunkSize)
    tiles = AlignedBuffer(
      count: Self.byteCount(
        capacity: capacity, headCount: headCount, headDimension: headDimension, window: window,
        type: type, chunkSize: chunkSize))
  }

  /// The memory that a cache of these properties takes when its text is full, in bytes.
  ///
  /// Tiles hold 64 positions of one head, `64 · (d + ⌈d⌉₁₆)` numbers where d is the head dimension
  /// and ⌈d⌉₁₆ the next multiple of 16, and for int8 `128 · ⌈d / 32⌉` float16 scales. Each head has
  /// `⌈capacity / 64⌉` of them, but no more than `⌈(window − 1 + chunkSize) / 64⌉ + 1`.
  public static func byteCount(
    capacity: Int, headCount: Int, headDimension: Int, window: Int?, type: KeyValueType = .float16,
    chunkSize: Int? = nil
  ) -> Int {
    tileCount(capacity: capacity, window: window, chunkSize: chunkSize ?? max(1, capacity))
      * headCount * flare_key_value_tile_size(type.cType, headDimension)
  }

  /// Tiles of a head.
  ///
  /// The first row of a chunk still sees `window − 1` positions before it when the last has been
  /// written. One tile more, since they seldom begin and end with a tile.
  private static func tileCount(capacity: Int, window: Int?, chunkSize: Int) -> Int {
    func tiles(_ positions: Int) -> Int { (positions + tileSize - 1) / tileSize }
    guard let window, window < capacity else { return tiles(capacity) }
    return min(tiles(capacity), tiles(window - 1 + chunkSize) + 1)
  }

  private static let tileSize = Int(FLARE_KEY_VALUE_TILE)

  /// The memory that is reserved, in bytes.
  public var byteCount: Int { tiles.count }

  /// Forgets all positions from `count` on: what was added on trial.
  ///
  /// - Precondition: what position `count` sees is still kept. That is so for texts without a
  ///   window, for an empty text, and for as many positions as are added at once.
  public func truncate(to count: Int) {
    precondition(0...positionCount ~= count, "Position out of bounds")
    precondition(keepsAll(seenFrom: count), "Position no longer kept")
    positionCount = count
    if count == 0 { writtenCount = 0 }
  }

  /// Whether all that a row at `position` sees of those before it is still there.
  package func keepsAll(seenFrom position: Int) -> Bool {
    let writtenTiles = (writtenCount + Self.tileSize - 1) / Self.tileSize
    let firstKept = max(0, writtenTiles - tileCount) * Self.tileSize
    return position == 0 || position - min(position, (window ?? .max) - 1) >= firstKept
  }

  /// Makes room for `count` rows, and gives the position of the first.
  fileprivate func advance(by count: Int) -> Int {
    precondition(positionCount + count <= capacity, "Text exceeds capacity")
    precondition(count <= chunkSize, "Row count exceeds chunk")
    let first = positionCount
    positionCount += count
    writtenCount = max(writtenCount, positionCount)
    return first
  }

  /// The cache as C sees it; only `Kernels.append` writes through it.
  @unsafe var keyValues: flare_key_values {
    unsafe flare_key_values(
      bytes: tiles.pointer, type: type.cType, tile_count: tileCount, head_count: headCount,
      head_dimension: headDimension)
  }

  /// Makes room for `count` floats of partial results.
  ///
  /// It stays, so that a decode loop allocates when its text has doubled, not at every token.
  func reservePartials(count: Int) {
    if partials.count < count { partials = AlignedBuffer(count: max(count, 2 * partials.count)) }
  }

  @unsafe var partialsPointer: UnsafeMutablePointer<Float> { unsafe partials.pointer }
}

extension Kernels {
  /// Adds rows of keys and values behind those of `cache`, rounded to its type.
  ///
  /// A number that its type cannot hold (beyond 65 504 in float16, not finite in int8) makes every
  /// output that sees it infinite or NaN.
  ///
  /// - Parameters:
  ///   - keys: [rows, headCount · headDimension], already rotated.
  ///   - values: as `keys`.
  ///   - rows: which of them.
  public func append(
    keys: borrowing FloatMatrix, values: borrowing FloatMatrix, rows: Range<Int>,
    to cache: KeyValueCache
  ) {
    let columns = cache.headCount * cache.headDimension
    precondition(
      keys.columnCount == columns && values.columnCount == columns, "Column counts differ")
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= min(keys.rowCount, values.rowCount),
      "Row out of bounds")
    let first = cache.advance(by: rows.count)
    let append = unsafe table.pointee.append_key_values
    nonisolated(unsafe) let keyValues = unsafe cache.keyValues
    nonisolated(unsafe) let keys = unsafe keys.pointer + rows.lowerBound * columns
    nonisolated(unsafe) let values = unsafe values.pointer + rows.lowerBound * columns
    // Copying costs about eight times what its bytes would as multiply-adds.
    pool.parallelFor(
      count: cache.headCount, grain: Self.grain(cost: 8 * rows.count * cache.headDimension)
    ) { heads in
      unsafe withUnsafePointer(to: keyValues) { keyValues in
        for head in heads { unsafe append(keyValues, keys, values, head, first, rows.count) }
      }
    }
  }
}
