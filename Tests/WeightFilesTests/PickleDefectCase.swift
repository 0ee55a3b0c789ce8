import Files
import SystemPackage
import TestSupport
import Testing
import WeightFiles

/// A pickle that must be refused, with the message.
struct PickleDefectCase: CustomTestStringConvertible {
  let testDescription: String
  let pickle: [UInt8]
  let code: WeightFileError.Code
  /// What the message says after the path.
  let detail: String

  init(_ label: String, _ pickle: [UInt8], _ code: WeightFileError.Code, _ detail: String) {
    testDescription = label
    self.pickle = pickle
    self.code = code
    self.detail = detail
  }

  func expectRefusal() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      try path.overwrite(Pickle.file(pickle).bytes)
      let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
      #expect(error?.code == code)
      #expect(error?.description == "\(path): \(detail)")
      #expect(error?.kind == .badInput)
    }
  }
}
