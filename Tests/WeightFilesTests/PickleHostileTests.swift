import SystemPackage
import TestSupport
import Testing

@testable import WeightFiles

/// One pickle for each way in which it can be wrong or want something.
struct PickleHostileTests {
  typealias Defect = PickleDefectCase

  private static func calls(_ name: String) -> String {
    "wants to call '\(name)', which a checkpoint of weights never does; it was not executed"
  }

  /// What is forbidden whatever it is used for.
  static let attacks: [Defect] = [
    Defect(
      "os.system called by name",
      Pickle.whole(
        Pickle.global("os", "system") + Pickle.tuple(Pickle.text("id")) + Pickle.ascii("R")),
      .forbidden, calls("os.system")),
    Defect(
      "posix.system called by names on the stack",
      [0x80, 4] + Pickle.text("posix") + Pickle.text("system") + [0x93, 0x29] + Pickle.ascii("R."),
      .forbidden, calls("posix.system")),
    Defect(
      "eval as the value of a weight",
      Pickle.dictionary(Pickle.global("builtins", "eval")), .forbidden, calls("builtins.eval")),
    Defect(
      "a function of torch that loads more",
      Pickle.dictionary(Pickle.global("torch", "load")), .forbidden, calls("torch.load")),
    Defect(
      "a name with a dot in it",
      Pickle.dictionary(Pickle.global("torch._utils", "_rebuild_tensor_v2.__globals__")),
      .forbidden, calls("torch._utils._rebuild_tensor_v2.__globals__")),
    Defect(
      "an instance of a class (INST)", Pickle.whole(Pickle.ascii("(ios\nsystem\n")), .forbidden,
      "has the instruction 105, which a checkpoint of weights never needs; it was not executed"),
    Defect(
      "a new object (NEWOBJ)",
      Pickle.whole(Pickle.global("collections", "OrderedDict") + [0x29, 0x81]), .forbidden,
      "has the instruction 129, which a checkpoint of weights never needs; it was not executed"),
    Defect(
      "an extension (EXT1)", Pickle.whole([0x82, 1]), .forbidden,
      "has the instruction 130, which a checkpoint of weights never needs; it was not executed"),
    Defect(
      "the call of a string", Pickle.whole(Pickle.text("id") + Pickle.ascii(")R")), .forbidden,
      "calls a string, which is no function"),
    Defect(
      "attributes of a tensor",
      Pickle.dictionary(
        Pickle.tensor([2], strides: [1], storage: Pickle.storage(count: 2)) + Pickle.ascii("}b")),
      .forbidden, "sets attributes of something that is no dictionary"),
    Defect(
      "something outside that is no storage",
      Pickle.whole(Pickle.text("file:///etc/passwd") + Pickle.ascii("Q")), .forbidden,
      "refers to something outside that is no storage"),
  ]

  /// Damage.
  static let defects: [Defect] = [
    Defect(
      "an empty pickle", [], .malformedPickle,
      "data.pkl is cut short at byte 0"),
    Defect(
      "an empty stack", Pickle.whole([]), .malformedPickle,
      "data.pkl takes a value from an empty stack at byte 3"),
    Defect(
      "a value below the mark", Pickle.whole(Pickle.ascii("}(0s").filter { $0 != 0x30 }),
      .malformedPickle, "data.pkl takes a value from an empty stack at byte 5"),
    Defect(
      "a tuple without a mark", Pickle.whole(Pickle.ascii("Nt")), .malformedPickle,
      "data.pkl ends a container that none began at byte 4"),
    Defect(
      "a memo entry that is none", Pickle.whole(Pickle.ascii("j") + [0xFF, 0xFF, 0xFF, 0xFF]),
      .malformedPickle,
      "data.pkl asks for value 4294967295 of its memo, which was never put there "
        + "at byte 7"),
    Defect(
      "text longer than the pickle", Pickle.whole(Pickle.ascii("X") + [0xFF, 0xFF, 0xFF, 0x7F]),
      .malformedPickle, "data.pkl is cut short at byte 7"),
    Defect(
      "text of 2⁶³ bytes", Pickle.whole([0x8D] + little(.min, 8)), .malformedPickle,
      "data.pkl is cut short at byte 11"),
    Defect(
      "text that is not UTF-8", Pickle.whole([0x8C, 1, 0xFF]), .malformedPickle,
      "data.pkl holds text that is not UTF-8 at byte 4"),
    Defect(
      "an integer of 9 bytes", Pickle.whole([0x8A, 9] + little(0, 9)), .malformedPickle,
      "data.pkl holds an integer of 9 bytes, expected at most 8 at byte 4"),
    Defect(
      "a name without an end", Pickle.whole(Pickle.ascii("ctorch")), .malformedPickle,
      "data.pkl is cut short at byte 3"),
    Defect(
      "protocol 1", [0x80, 1] + Pickle.ascii("N."), .malformedPickle,
      "data.pkl is of protocol 1, expected 2 to 5 at byte 2"),
    Defect(
      "bytes after the end", Pickle.valid + [0], .malformedPickle,
      "data.pkl does not end where it stops at byte \(Pickle.valid.count)"),
    Defect(
      "a key without a value", Pickle.whole(Pickle.ascii("}(Nu")), .malformedPickle,
      "data.pkl sets a member without a value at byte 6"),
    Defect(
      "members of a list", Pickle.whole(Pickle.ascii("]NNs")), .malformedPickle,
      "data.pkl sets members of a list, expected a dictionary at byte 6"),
    Defect(
      "a list that is no state dict", Pickle.whole(Pickle.ascii("]")), .malformedPickle,
      "data.pkl holds a list, expected a state_dict: names and tensors"),
    Defect(
      "a weight that is a number", Pickle.dictionary(Pickle.integer(3)), .malformedPickle,
      "data.pkl has an integer under 'w', expected a tensor. Save model.state_dict() alone"),
    Defect(
      "a name that is a number", Pickle.whole(Pickle.ascii("}NNs")), .malformedPickle,
      "data.pkl has None for the name of a tensor, expected a string"),
    Defect(
      "one name twice",
      Pickle.whole(
        Pickle.ascii("}(")
          + (Pickle.text("w")
            + Pickle.tensor([2], strides: [1], storage: Pickle.storage(count: 2)) + Pickle.text("w"))
          + Pickle.tensor([2], strides: [1], storage: Pickle.storage(count: 2))
          + Pickle.ascii("u")), .malformedPickle,
      "data.pkl has two tensors named 'w'. Rename one"),
    Defect(
      "a list in itself",
      Pickle.dictionary(Pickle.ascii("]q") + [0] + Pickle.ascii("h") + [0] + Pickle.ascii("a")),
      .malformedPickle,
      "data.pkl has a list under 'w', expected a tensor. Save model.state_dict() alone"),
    Defect(
      "a million tuples in one another",
      Pickle.dictionary(Pickle.ascii(")") + [UInt8](repeating: 0x85, count: 1_000_000)),
      .malformedPickle,
      "data.pkl has a tuple under 'w', expected a tensor. Save model.state_dict() alone"),
    Defect(
      "a tensor of a string",
      Pickle.dictionary(Pickle.tensor([2], strides: [1], storage: Pickle.text("0"))),
      .malformedPickle,
      "data.pkl makes a tensor of something else than storage, offset, size, stride "
        + "at byte 87"),
    Defect(
      "65 axes",
      Pickle.dictionary(
        Pickle.tensor(
          Array(repeating: 1, count: 65), strides: Array(repeating: 1, count: 65),
          storage: Pickle.storage(count: 2))), .malformedPickle,
      "data.pkl makes a tensor of something else than storage, offset, size, stride "
        + "at byte 1420"),
  ]

  @Test(arguments: attacks) func `is not executed`(_ attack: Defect) throws {
    try attack.expectRefusal()
  }

  @Test(arguments: defects) func `is refused`(_ defect: Defect) throws {
    try defect.expectRefusal()
  }

  @Test func `a pickle of endless instructions is refused`() throws {
    var machine = PickleMachine()
    machine.maximumInstructionCount = 1000
    let bytes = [UInt8](repeating: 0x4E, count: 1001)
    var cursor = PickleCursor(bytes.span)
    let error = #expect(throws: PickleDefect.self) { try machine.run(&cursor) }
    #expect(
      error?.problem == "has more than 1000 instructions, which no checkpoint of weights needs")
  }
}
