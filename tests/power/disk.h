// What a disk may hold after a loss of power: the log of what a program did to its files, and the model that
// says which of it lasts for sure and which may be lost. The model promises no more than POSIX does: an octet
// lasts once its file was synced (or was written with O_DSYNC), a name once its directory was; all else may
// have reached the disk or not, in any order, a page in parts of 512 octets, a file's new size before its
// octets. Only two parts of one page keep their order: the page is written as it stands in memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace power {

inline constexpr std::uint64_t kPage = 4096, kSector = 512;

// ---- the log. Paths are relative to the directory that holds all; files are numbered as they are made.

struct Written {
  int file = 0;
  std::uint64_t offset = 0;
  std::string octets;
};
struct Resized {
  int file = 0;
  std::uint64_t size = 0;
};
struct Linked {
  std::string path;
  int file = 0;
  bool directory = false;
};
struct Unlinked {
  std::string path;
};
struct Renamed {
  std::string from, to;
};
struct FileSynced {
  int file = 0;
};
struct DirectorySynced {
  std::string path;
};
/// The Written that is this event lasts: it was made with O_DSYNC, and has returned.
struct WriteLasts {
  std::size_t event = 0;
};
/// The change with this number was given to the store; the store has answered.
struct Begun {
  std::size_t change = 0;
};
struct Answered {
  std::size_t change = 0;
};
using Event = std::variant<Written, Resized, Linked, Unlinked, Renamed, FileSynced, DirectorySynced,
                           WriteLasts, Begun, Answered>;
using Log = std::vector<Event>;

// ---- the disk

struct Node {
  int file = 0;
  bool directory = false;
  bool operator==(const Node&) const = default;
};
using Names = std::map<std::string, Node>;

/// Something that may be lost. A long write is one for each page.
struct Pending {
  std::size_t event = 0;
  std::variant<Written, Resized, Linked, Unlinked, Renamed> what;
};

/// Which syncs a disk that lies does not do.
struct Ignored {
  bool tables = false;       ///< the tables' file
  bool commit_page = false;  ///< O_DSYNC
  bool bodies = false;       ///< the other files
  bool names = false;        ///< directories
};

class Disk {
 public:
  /// The next event of the log, which has this number.
  void take(std::size_t number, const Event& event, const Ignored& ignored = {});

  [[nodiscard]] const Names& names() const { return names_; }
  [[nodiscard]] const std::string& octets(int file) const;
  [[nodiscard]] const std::vector<Pending>& pending() const { return pending_; }

 private:
  template <class Which>
  void make_last(Which which);
  void make_last(const Pending& one);
  void forget_nameless();

  Names names_;
  std::map<int, std::string> octets_;
  std::vector<Pending> pending_;
};

/// The effect of one change of names.
void apply(Names& names, const Pending& one);
[[nodiscard]] bool is_name_change(const Pending& one);
[[nodiscard]] std::string parent_of(const std::string& path);

/// True before an event after which less may be lost than before: the states just before it are the richest.
[[nodiscard]] bool is_sync(const Event& event);

}  // namespace power
