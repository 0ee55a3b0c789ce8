import Adapters
import Kernels
import Tensors

/// Linear layers that read the same input: query, key and value, or gate and up.
///
/// The input is quantized once for all of them, and the `A` of all their updates is one matrix: a
/// product each would cost more in waiting for threads than in arithmetic.
struct LinearGroup: Sendable {
  let linears: [Linear]
  private let weights: [Tensor]
  private let plans: [ForwardPass: Plan]

  /// What the updates come to in one kind of pass.
  private struct Plan {
    /// The `A` of all updates below one another, `[Σ r, inputs]`; nil when none reads the input.
    let downProjection: Tensor?
    /// What is added to the outputs of each linear, in order.
    let steps: [[LowRankStep]]
  }

  init(_ linears: [Linear], with kernels: Kernels) {
    self.linears = linears
    weights = linears.map(\.weight)
    var stacks: [[Int]: Tensor] = [:]
    plans = Dictionary(
      uniqueKeysWithValues: ForwardPass.allCases.map { pass in
        let (steps, readers, matrices) = Self.steps(of: linears, in: pass)
        // Most updates act in all passes alike, which then share a matrix.
        let stack =
          stacks[readers]
          ?? Self.stack(matrices).map {
            kernels.narrowed($0, mayRound: linears.contains(where: \.isQuantized))
          }
        stacks[readers] = stack
        return (pass, Plan(downProjection: stack, steps: steps))
      })
  }

  /// The steps of each linear, and which of all updates read the input, with their `A`.
  private static func steps(
    of linears: [Linear], in pass: ForwardPass
  ) -> (steps: [[LowRankStep]], readers: [Int], matrices: [Tensor]) {
    var number = 0, width = 0
    var readers: [Int] = [], matrices: [Tensor] = []
    let steps = linears.map { linear in
      linear.updates.compactMap { prepared -> LowRankStep? in
        number += 1
        guard let kind = prepared.update.term(in: pass) else { return nil }
        let step = LowRankStep(prepared, kind, firstColumn: width)
        if kind.readsInput {
          readers.append(number)
          matrices.append(prepared.update.loraA)
          width += prepared.update.rank
        }
        return step
      }
    }
    return (steps, readers, matrices)
  }

  private static func stack(_ matrices: [Tensor]) -> Tensor? {
    matrices.count > 1 ? Tensor(stacking: matrices) : matrices.first
  }

  /// The most numbers of bottlenecks that a row has.
  var lowRankWidth: Int {
    let ranks = linears.flatMap(\.updates).map(\.update.rank)
    return ranks.reduce(0, +)
  }

  /// Makes ready what the linears need of `input`, `[rows, inputs]`: its int8 form and, in
  /// `work.down`, the bottlenecks of their updates.
  func prepare(
    _ input: inout LayerInput, _ work: inout LowRankWorkspace, _ context: PassContext
  ) {
    let kernels = context.kernels
    kernels.prepare(&input, for: weights)
    guard let downProjection = plan(for: context).downProjection else {
      work.down.rowCount = 0
      return
    }
    work.down.reshape(rowCount: input.rowCount, columnCount: downProjection.shape[0])
    kernels.multiply(downProjection, input, into: &work.down)
  }

  /// Writes the outputs of the linear at `index`, `[rows, outputs]`.
  func apply(
    _ index: Int, _ input: borrowing LayerInput, into output: inout FloatMatrix,
    _ work: inout LowRankWorkspace, _ context: PassContext
  ) {
    linears[index].apply(input, plan(for: context).steps[index], into: &output, &work, context)
  }

  private func plan(for context: PassContext) -> Plan {
    guard let plan = plans[context.pass] else { preconditionFailure("No plan for the pass") }
    return plan
  }
}
