import Kernels
public import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The attention of FLARE's `cross-attention`: source positions ask, target positions answer.
///
/// `softmax(Q(s) · K(t)ᵀ / √d) · V(t)` over heads of `d = r / headCount`, with no mask and no output
/// projection. Q, K and V are linears of r to r.
public struct CrossAttention: Sendable {
  /// A linear of r to r.
  public struct Projection: Sendable {
    /// Float32 `[r, r]`.
    public let weight: Tensor
    /// Float32 `[r]`.
    public let bias: Tensor

    package init(weight: Tensor, bias: Tensor) {
      self.weight = weight
      self.bias = bias
    }
  }

  public let headCount: Int
  public let query: Projection
  public let key: Projection
  public let value: Projection

  package init(headCount: Int, query: Projection, key: Projection, value: Projection) {
    self.headCount = headCount
    self.query = query
    self.key = key
    self.value = value
  }

  /// The names of the three projections on disk.
  static let projectionNames = ["query", "key", "value"]

  /// All tensors under the names that follow `fuse_cross_attention.` on disk.
  var tensors: [(name: String, tensor: Tensor)] {
    zip(Self.projectionNames, [query, key, value]).flatMap { name, projection in
      [("\(name).weight", projection.weight), ("\(name).bias", projection.bias)]
    }
  }

  /// Replaces the rows of a text in `target` by what its source reads in them, both
  /// `[positions, r]`.
  func apply(_ source: borrowing FloatMatrix, into target: inout FloatMatrix, _ rows: Range<Int>) {
    let queries = query.apply(source, rows)
    let keys = key.apply(target, rows)
    let values = value.apply(target, rows)
    let headDimension = target.columnCount / headCount
    let scale = 1 / Float(headDimension).squareRoot()
    var scores = [Float](repeating: 0, count: rows.count)
    for position in scores.indices {
      for head in 0..<headCount {
        let columns = head * headDimension..<(head + 1) * headDimension
        for other in scores.indices {
          var score: Float = 0
          for column in columns { score += queries[position][column] * keys[other][column] }
          scores[other] = score * scale
        }
        Self.softmax(&scores)
        var row = target.mutableRow(rows.lowerBound + position)
        for column in columns {
          var sum: Float = 0
          for other in scores.indices { sum += scores[other] * values[other][column] }
          row[column] = sum
        }
      }
    }
  }

  private static func softmax(_ scores: inout [Float]) {
    let largest = scores.max() ?? 0
    var sum: Float = 0
    for i in scores.indices {
      scores[i] = expf(scores[i] - largest)
      sum += scores[i]
    }
    for i in scores.indices { scores[i] /= sum }
  }
}

extension CrossAttention.Projection {
  /// `weight · x + bias` of some rows.
  fileprivate func apply(_ x: borrowing FloatMatrix, _ rows: Range<Int>) -> FloatMatrix {
    let rank = x.columnCount
    let weight = weight.floatElements
    let bias = bias.floatElements
    var result = FloatMatrix(rowCapacity: rows.count, columnCount: rank)
    for (position, row) in rows.enumerated() {
      let input = x[row]
      var output = result.mutableRow(position)
      for i in 0..<rank {
        var sum = bias[i]
        for j in 0..<rank { sum += weight[i * rank + j] * input[j] }
        output[i] = sum
      }
    }
    return result
  }
}
