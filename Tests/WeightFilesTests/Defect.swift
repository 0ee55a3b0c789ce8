import Testing
import WeightFiles

/// A file that is wrong in one way, and what its reader has to say.
struct Defect: CustomTestStringConvertible {
  let testDescription: String
  let bytes: [UInt8]
  let code: WeightFileError.Code
  /// What the message says after the path.
  let detail: String

  init(_ label: String, _ bytes: [UInt8], _ code: WeightFileError.Code, _ detail: String) {
    testDescription = label
    self.bytes = bytes
    self.code = code
    self.detail = detail
  }
}
