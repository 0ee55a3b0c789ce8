/// The instructions of a pickle that a checkpoint of weights needs, protocols 2 to 5.
///
/// The others make objects of any class, call what they name, or belong to protocols that
/// `torch.save` never wrote. They are refused before anything is done.
enum PickleOpcode: UInt8 {
  case protocolVersion = 0x80
  case frame = 0x95
  case stop = 0x2E  // '.'

  // Constants.
  case none = 0x4E  // 'N'
  case newTrue = 0x88
  case newFalse = 0x89
  case int32 = 0x4A  // 'J'
  case uint8 = 0x4B  // 'K'
  case uint16 = 0x4D  // 'M'
  case long = 0x8A
  case float64 = 0x47  // 'G'
  case text8 = 0x8C
  case text32 = 0x58  // 'X'
  case text64 = 0x8D

  // Containers; `mark` begins the members of one of any length.
  case mark = 0x28  // '('
  case emptyTuple = 0x29  // ')'
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case tuple = 0x74  // 't'
  case emptyList = 0x5D  // ']'
  case append = 0x61  // 'a'
  case appends = 0x65  // 'e'
  case emptyDictionary = 0x7D  // '}'
  case setItem = 0x73  // 's'
  case setItems = 0x75  // 'u'

  // What was made before, by number.
  case put8 = 0x71  // 'q'
  case put32 = 0x72  // 'r'
  case memoize = 0x94
  case get8 = 0x68  // 'h'
  case get32 = 0x6A  // 'j'

  // Names and calls; `PickleGlobal` is the list of names.
  case global = 0x63  // 'c'
  case stackGlobal = 0x93
  case reduce = 0x52  // 'R'
  case build = 0x62  // 'b'
  case persistentID = 0x51  // 'Q'
}
