public import Testing

/// Expects two lists of floats to have the same length and to differ nowhere by more than
/// `tolerance`; the failure names the worst place.
public func expectClose(
  _ actual: [Float], _ expected: [Float], within tolerance: Float,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "got \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
    return
  }
  // A NaN is never close: it counts as an infinite difference, unless both are NaN.
  let differences = zip(actual, expected).map { got, wanted in
    got.isNaN && wanted.isNaN || got == wanted
      ? 0 : (got - wanted).isNaN ? Float.infinity : abs(got - wanted)
  }
  guard let worst = differences.indices.max(by: { differences[$0] < differences[$1] }),
    differences[worst] > tolerance
  else { return }
  Issue.record(
    """
    value \(worst) is \(actual[worst]), expected \(expected[worst]) \
    within \(tolerance), differs by \(differences[worst])
    """, sourceLocation: sourceLocation)
}
