/// How fast a test ran.
public struct BenchmarkResult: Sendable {
  public let test: BenchmarkTest
  /// Of each run, without the one that warmed up.
  public let seconds: [Double]
  /// Multiply-adds with weights in a run.
  public let productCount: Int
  /// Bytes read in a run of a decode; nil where all tokens share a reading.
  public let byteCount: Int?

  private var rates: [Double] { seconds.map { Double(test.tokenCount) / $0 } }

  /// The mean of all runs.
  public var tokensPerSecond: Double { rates.reduce(0, +) / Double(rates.count) }

  /// The sample's standard deviation, in tokens a second; 0 for a single run.
  public var deviation: Double {
    guard rates.count > 1 else { return 0 }
    let mean = tokensPerSecond
    let squares = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(rates.count - 1)).squareRoot()
  }

  /// Multiply-adds with weights a second.
  public var productRate: Double {
    tokensPerSecond * Double(productCount) / Double(test.tokenCount)
  }

  /// Bytes a second; nil where all tokens share a reading.
  public var byteRate: Double? {
    byteCount.map { tokensPerSecond * Double($0) / Double(test.tokenCount) }
  }
}
