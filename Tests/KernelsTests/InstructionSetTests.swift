import Testing

@testable import Kernels

@Suite struct `The instruction set` {
  @Test func `is the best one when nothing is asked for`() throws {
    #expect(try InstructionSet.chosen(by: nil) == .best)
    #expect(try InstructionSet.chosen(by: "") == .best)
    #expect(InstructionSet.best.isAvailable)
  }

  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func `is the one that is asked for`(set: InstructionSet) throws {
    #expect(try InstructionSet.chosen(by: set.rawValue) == set)
    #expect(try Kernels(threadCount: 1, instructionSet: set).instructionSet == set)
  }

  @Test func `an unknown name is an error that lists the known ones`() {
    let error = #expect(throws: InstructionSetError.self) {
      try InstructionSet.chosen(by: "sse9")
    }
    #expect(
      error?.description.hasPrefix(
        "FLARE_ISA: no instruction set is called 'sse9', expected 'generic'") == true)
  }

  @Test(arguments: InstructionSet.allCases.filter { !$0.isAvailable })
  func `one that this CPU lacks is an error`(set: InstructionSet) {
    #expect(throws: InstructionSetError.self) { try InstructionSet.chosen(by: set.rawValue) }
    #expect(throws: InstructionSetError.self) {
      try Kernels(threadCount: 1, instructionSet: set)
    }
  }
}
