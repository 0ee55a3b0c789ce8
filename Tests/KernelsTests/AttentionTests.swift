import Kernels
import TestSupport
import Testing

@Suite struct `Attention` {
  static let cases = [
    AttentionCase(rows: 1, firstPosition: 0, heads: 1, keyValueHeads: 1, headDimension: 8),
    AttentionCase(rows: 1, firstPosition: 130, heads: 4, keyValueHeads: 1, headDimension: 16),
    AttentionCase(rows: 7, firstPosition: 3, heads: 6, keyValueHeads: 2, headDimension: 10),
    AttentionCase(rows: 150, firstPosition: 0, heads: 4, keyValueHeads: 2, headDimension: 32),
    AttentionCase(
      rows: 70, firstPosition: 65, heads: 3, keyValueHeads: 3, headDimension: 48, window: 17),
    AttentionCase(
      rows: 1, firstPosition: 200, heads: 2, keyValueHeads: 1, headDimension: 64, window: 1),
    AttentionCase(
      rows: 40, firstPosition: 90, heads: 2, keyValueHeads: 1, headDimension: 256, softCap: 5),
    AttentionCase(
      rows: 33, firstPosition: 31, heads: 8, keyValueHeads: 4, headDimension: 20, window: 64,
      softCap: 2),
    AttentionCase(rows: 2, firstPosition: 10, heads: 70, keyValueHeads: 1, headDimension: 4),
  ]

  @Test(arguments: cases)
  func `tiles and a running softmax give what whole rows give`(test: AttentionCase) throws {
    let inputs = test.inputs(), expected = test.reference(inputs)
    for kernels in try allKernels() {
      let found = test.attend(inputs, with: kernels)
      #expect(largestDifference(found, expected) < 3e-6, "\(kernels.instructionSet)")
    }
  }

  @Test(arguments: [10, 20, 48, 80, 96, 128, 256], KeyValueType.allCases)
  func `every type gives what its rounded keys and values give`(
    headDimension: Int, type: KeyValueType
  ) throws {
    for sharing in 1...8 {
      let test = AttentionCase(
        rows: 2, firstPosition: 67, heads: 2 * sharing, keyValueHeads: 2,
        headDimension: headDimension, scale: 1 / Float(headDimension).squareRoot())
      let inputs = test.inputs()
      let expected = test.reference(type.rounded(inputs, headDimension: headDimension))
      for kernels in try allKernels() {
        let found = test.attend(inputs, type, with: kernels)
        #expect(
          largestDifference(found, expected) < 3e-6, "\(kernels.instructionSet) \(sharing)")
      }
    }
  }

  // Many queries read panels through a conversion, which few do without.
  @Test(arguments: KeyValueType.allCases)
  func `every type gives what its rounded numbers give to many rows`(type: KeyValueType) throws {
    let test = AttentionCase(
      rows: 90, firstPosition: 500, heads: 6, keyValueHeads: 2, headDimension: 40, window: 130,
      softCap: 3)
    let inputs = test.inputs()
    let expected = test.reference(type.rounded(inputs, headDimension: 40))
    for kernels in try allKernels() {
      let found = test.attend(inputs, type, with: kernels)
      #expect(largestDifference(found, expected) < 3e-6, "\(kernels.instructionSet)")
    }
  }

  /// Scores are sums of 64 products of order 3 · 3 / 8: a softmax of them moves by as much as keys do.
  @Test(arguments: [(KeyValueType.float16, 1e-5, 2e-3), (.int8, 1e-4, 3e-2)])
  func `a type loses no more than its rounding`(
    type: KeyValueType, least: Double, most: Double
  ) throws {
    let test = AttentionCase(
      rows: 4, firstPosition: 300, heads: 4, keyValueHeads: 2, headDimension: 64, scale: 0.125)
    let inputs = test.inputs(), exact = test.reference(inputs)
    for kernels in try allKernels() {
      let difference = largestDifference(test.attend(inputs, type, with: kernels), exact)
      #expect((least...most).contains(difference))
    }
  }

  // Segments of 512 positions are shared among threads.
  @Test(arguments: [511, 512, 513, 1023, 1024, 1025, 1600], [nil, 700])
  func `the positions of a long text may be shared among threads`(
    positions: Int, window: Int?
  ) throws {
    let test = AttentionCase(
      rows: 1, firstPosition: positions - 1, heads: 4, keyValueHeads: 2, headDimension: 24,
      window: window)
    let inputs = test.inputs(), expected = test.reference(inputs)
    for set in InstructionSet.allCases.filter(\.isAvailable) {
      let found = try (1...3).map { threadCount in
        let kernels = try Kernels(threadCount: threadCount, instructionSet: set)
        return test.attend(inputs, with: kernels)
      }
      #expect(largestDifference(found[0], expected) < 3e-6, "\(set)")
      #expect(bitDifferences(found[0], found[1]) == [])
      #expect(bitDifferences(found[0], found[2]) == [])
    }
  }

  @Test(arguments: KeyValueType.allCases, [nil, 70])
  func `one row at a time gives the bits of all rows together`(
    type: KeyValueType, window: Int?
  ) throws {
    let test = AttentionCase(
      rows: 540, firstPosition: 0, heads: 3, keyValueHeads: 1, headDimension: 40, window: window)
    let inputs = test.inputs()
    for kernels in try allKernels() {
      let whole = test.attend(inputs, type, with: kernels)
      let cache = test.cache(type)
      test.append(0..<490, of: inputs, to: cache, with: kernels)
      var found = Array(whole[..<(490 * test.columns)])
      for row in 490..<test.rows {
        test.append(row..<row + 1, of: inputs, to: cache, with: kernels)
        found += test.attend(row..<row + 1, of: inputs, cache, with: kernels)
      }
      #expect(bitDifferences(found, whole) == [], "\(kernels.instructionSet)")
    }
  }

  @Test(arguments: KeyValueType.allCases)
  func `texts that share a call get the bits that each gets alone`(type: KeyValueType) throws {
    let lengths: [(rows: Int, positions: Int)] = [
      (1, 1), (1, 1300), (60, 90), (5, 600), (1, 40),
    ]
    let tests = lengths.map {
      AttentionCase(
        rows: $0.rows, firstPosition: $0.positions - $0.rows, heads: 4, keyValueHeads: 2,
        headDimension: 32, window: 600)
    }
    for kernels in try allKernels() {
      var alone: [Float] = [], queries: [Float] = [], texts: [Kernels.TextRows] = []
      for (index, test) in tests.enumerated() {
        let inputs = test.inputs(seed: UInt64(index))
        let cache = test.cache(type)
        test.append(0..<test.positionCount, of: inputs, to: cache, with: kernels)
        alone += test.attend(0..<test.rows, of: inputs, cache, with: kernels)
        let first = queries.count / test.columns
        queries += inputs.queries
        texts.append(Kernels.TextRows(rows: first..<first + test.rows, cache: cache))
      }
      let rows = queries.count / tests[0].columns
      var output = FloatMatrix(rowCapacity: rows, columnCount: tests[0].columns)
      kernels.attend(
        queries: matrix(queries, rows: rows, columns: tests[0].columns), texts: texts, scale: 0.25,
        softCap: nil, into: &output)
      #expect(bitDifferences(array(output), alone) == [], "\(kernels.instructionSet)")
    }
  }

  @Test(arguments: KeyValueType.allCases)
  func `what is not a number reaches those that see it, and no other head or earlier row`(
    type: KeyValueType
  ) throws {
    let test = AttentionCase(
      rows: 110, firstPosition: 0, heads: 2, keyValueHeads: 2, headDimension: 16)
    for bad in [Float.nan, .infinity] {
      for isKey in [true, false] {
        var inputs = test.inputs()
        let place = 100 * 32 + 16 + 3  // position 100, second head
        if isKey { inputs.keys[place] = bad } else { inputs.values[place] = bad }
        for kernels in try allKernels() {
          let cache = test.cache(type, chunkSize: 1)
          var isFinite: [Bool] = []
          for row in 0..<test.rows {
            test.append(row..<row + 1, of: inputs, to: cache, with: kernels)
            let found = test.attend(row..<row + 1, of: inputs, cache, with: kernels)
            #expect(found[..<16].allSatisfy { $0.isFinite })
            isFinite.append(found[16...].allSatisfy(\.isFinite))
          }
          #expect(!isFinite[..<100].contains(false))
          // A key of infinity may lose all of its weight where the query is negative; its row and
          // the others that weigh it most are not finite.
          if isKey && bad == .infinity && type != .int8 {
            #expect(isFinite[100...].contains(false))
          } else {
            #expect(!isFinite[100...].contains(true))
          }
        }
      }
    }
  }

  @Test func `keys outside the window are never read`() throws {
    let test = AttentionCase(
      rows: 5, firstPosition: 100, heads: 2, keyValueHeads: 1, headDimension: 16, window: 10,
      scale: 1)
    let inputs = test.inputs()
    var poisoned = inputs
    // The first query, at 100, sees 91 and later.
    for i in 0..<91 * 16 {
      poisoned.keys[i] = .nan
      poisoned.values[i] = .nan
    }
    for kernels in try allKernels() {
      let clean = test.attend(inputs, with: kernels)
      #expect(bitDifferences(clean, test.attend(poisoned, with: kernels)) == [])
      poisoned.keys[91 * 16] = .nan
      #expect(test.attend(poisoned, with: kernels)[0..<32].allSatisfy { $0.isNaN })
      poisoned.keys[91 * 16] = inputs.keys[91 * 16]
    }
  }

  @Test func `a later key changes no earlier query`() throws {
    let test = AttentionCase(
      rows: 80, firstPosition: 0, heads: 1, keyValueHeads: 1, headDimension: 8)
    let inputs = test.inputs()
    var changed = inputs
    for d in 0..<8 { changed.keys[70 * 8 + d] += 1 }
    for kernels in try allKernels() {
      let before = test.attend(inputs, with: kernels)
      let after = test.attend(changed, with: kernels)
      #expect(bitDifferences(before, after).allSatisfy { $0 >= 70 * 8 })
      #expect(bitDifferences(before, after).contains { $0 < 71 * 8 })
    }
  }

  @Test func `scores far apart do not overflow`() throws {
    let test = AttentionCase(
      rows: 1, firstPosition: 99, heads: 1, keyValueHeads: 1, headDimension: 4, scale: 1)
    var keys = Array(repeating: Float(0), count: 400)
    keys[4 * 63] = 1000  // the last key of the first block
    keys[4 * 80] = -1000
    var values = Array(repeating: Float(-7), count: 400)
    for d in 0..<4 { values[4 * 63 + d] = Float(d) }
    for kernels in try allKernels() {
      let found = test.attend(
        AttentionCase.Inputs(queries: [10, 0, 0, 0], keys: keys, values: values), with: kernels)
      #expect(found == [0, 1, 2, 3])
    }
  }
}
