#include "tests/power/states.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "lib/fd.h"

namespace power {

using po::Fd;

std::vector<Window> windows_of(const Log& log) {
  std::vector<Window> windows;
  std::size_t from = 0;
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (const auto* answered = std::get_if<Answered>(&log[i])) {
      windows.push_back({from, i + 1, answered->change});
      from = i + 1;
    }
  }
  return windows;
}

std::vector<std::size_t> instants_of(const Log& log, const Window& window) {
  std::vector<std::size_t> instants;
  for (std::size_t i = window.from; i < window.to; ++i) {
    if (is_sync(log[i])) instants.push_back(i);
  }
  instants.push_back(window.to);
  return instants;
}

// ---- choices

Choices::Choices(const std::vector<Pending>& pending, std::uint64_t seed, std::size_t most)
    : pending_(pending), seed_(seed) {
  bool tearable = std::ranges::any_of(pending, [](const Pending& p) {
    const auto* w = std::get_if<Written>(&p.what);
    return w != nullptr && w->octets.size() > kSector;
  });
  std::size_t subsets = few(pending) ? std::size_t{1} << pending.size() : 0;
  count_ = few(pending) ? subsets * (tearable ? 2 : 1) : most;
}

Choice Choices::at(std::size_t number) const {
  return few(pending_) ? subset(number) : random(number);
}

static std::uint8_t torn(Dice& dice) {
  return static_cast<std::uint8_t>(1 + dice.below(254));
}

Choice Choices::subset(std::size_t number) const {
  Dice dice(seed_ ^ number * 0x9e3779b97f4a7c15ULL);
  Choice choice;
  std::size_t mask = number & ((std::size_t{1} << pending_.size()) - 1);
  bool whole = mask == number;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    bool there = (mask >> i & 1) != 0;
    choice.parts.push_back(!there ? 0 : whole || dice.chance(64) ? 0xff : torn(dice));
  }
  if (!whole) choice.sizes = static_cast<Choice::Sizes>(dice.below(3));
  choice.spoil_lock = dice.chance(64);
  return choice;
}

// Each alone missing and each alone there, all of them first if there are states enough, else some; the
// others by the seed: few, half, most of what is pending.
Choice Choices::random(std::size_t number) const {
  static constexpr unsigned kDense[] = {16, 128, 240, 250};
  std::size_t n = pending_.size();
  Dice dice(seed_ ^ number * 0x9e3779b97f4a7c15ULL);
  Choice choice;
  choice.spoil_lock = dice.chance(64);
  bool all_alone = count_ >= 4 * n;
  if (all_alone ? number < 2 * n : number % 2 == 0) {
    std::size_t alone = all_alone ? number : dice.below(2 * n);
    choice.parts.assign(n, alone < n ? 0xff : 0);
    choice.parts[alone % n] = alone < n ? 0 : 0xff;
    return choice;
  }
  unsigned dense = kDense[dice.below(4)], tear = dice.chance(128) ? 40 : 0;
  for (std::size_t i = 0; i < n; ++i) {
    bool there = dice.chance(dense);
    choice.parts.push_back(!there ? 0 : dice.chance(tear) ? torn(dice) : 0xff);
  }
  if (dice.chance(128)) choice.sizes = static_cast<Choice::Sizes>(dice.below(3));
  return choice;
}

// ---- the scene

static void must(bool done) {
  if (!done) ::abort();  // the test's own directory cannot be written
}

static void write_at(int fd, std::string_view octets, std::uint64_t at) {
  must(::pwrite(fd, octets.data(), octets.size(), static_cast<off_t>(at)) ==
       static_cast<ssize_t>(octets.size()));
}

static void set_size(int fd, std::uint64_t size) {
  must(::ftruncate(fd, static_cast<off_t>(size)) == 0);
}

void Scene::put_file(const std::string& path, const std::string& octets) {
  (void)::unlink(full(path).c_str());
  Fd fd(::open(full(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  must(static_cast<bool>(fd));
  write_at(fd.get(), octets, 0);
}

/// A name is there only if the directories above it are.
static void prune(Names& names) {
  std::erase_if(names, [&names](const auto& entry) {
    for (std::string up = parent_of(entry.first); !up.empty(); up = parent_of(up)) {
      if (!names.contains(up)) return true;
    }
    return false;
  });
}

void Scene::stage(const Disk& disk) {
  disk_ = &disk;
  std::filesystem::remove_all(directory_);
  must(::mkdir(directory_.c_str(), 0700) == 0);
  Names names = disk.names();
  prune(names);
  for (const auto& [path, node] : names) {
    if (node.directory) {
      must(::mkdir(full(path).c_str(), 0700) == 0);
    } else {
      put_file(path, disk.octets(node.file));
    }
  }
}

/// The sectors of a write that reached the disk.
static void write_parts(int fd, const Written& w, std::uint8_t parts) {
  std::string_view octets = w.octets;
  if (parts == 0xff) return write_at(fd, octets, w.offset);
  for (std::uint64_t at = 0; at < octets.size();) {
    std::uint64_t place = w.offset + at,
                  n = std::min<std::uint64_t>(kSector - place % kSector, octets.size() - at);
    if ((parts >> (place % kPage / kSector) & 1) != 0) write_at(fd, octets.substr(at, n), place);
    at += n;
  }
}

void Scene::patch(const std::string& path, int file, const Choice& choice) {
  Fd fd;
  std::uint64_t old_size = disk_->octets(file).size(), new_size = old_size;
  for (std::size_t i = 0; i < choice.parts.size(); ++i) {
    const auto& what = disk_->pending()[i].what;
    const auto* w = std::get_if<Written>(&what);
    const auto* r = std::get_if<Resized>(&what);
    if (!(w != nullptr && w->file == file) && !(r != nullptr && r->file == file)) continue;
    if (!fd) fd = Fd(::open(full(path).c_str(), O_WRONLY | O_CLOEXEC));
    must(static_cast<bool>(fd));
    new_size = w != nullptr ? std::max(new_size, w->offset + w->octets.size()) : r->size;
    if (choice.parts[i] == 0) continue;
    if (w != nullptr) write_parts(fd.get(), *w, choice.parts[i]);
    if (r != nullptr) set_size(fd.get(), r->size);
  }
  if (!fd || choice.sizes == Choice::Sizes::kAsWritten) return;
  set_size(fd.get(), choice.sizes == Choice::Sizes::kOld ? old_size : new_size);
}

static void spoil(const std::string& path) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd) write_at(fd.get(), std::string(5000, '\xa5'), 0);
}

void Scene::make(const Choice& choice) {
  Names old = disk_->names(), names = old;
  for (std::size_t i = 0; i < choice.parts.size(); ++i) {
    const Pending& one = disk_->pending()[i];
    if (choice.parts[i] != 0 && is_name_change(one)) apply(names, one);
  }
  prune(old);
  prune(names);
  for (const auto& [path, node] : old) {
    auto now = names.find(path);
    if (now == names.end() || now->second != node) must(::unlink(full(path).c_str()) == 0);
  }
  for (const auto& [path, node] : names) {
    auto before = old.find(path);
    bool is_new = before == old.end() || before->second != node;
    if (is_new && node.directory) must(::mkdir(full(path).c_str(), 0700) == 0);
    if (is_new && !node.directory) put_file(path, disk_->octets(node.file));
    if (!node.directory) patch(path, node.file, choice);
  }
  if (choice.spoil_lock) spoil(full("store/lock.mdb"));
}

void Scene::undo(const Log& log) {
  Names names = disk_->names();
  prune(names);
  std::map<int, std::string> paths;
  for (const auto& [path, node] : names) {
    if (!node.directory) paths[node.file] = path;
  }
  std::set<std::string> whole{"store/lock.mdb"};  // it is mapped, and written to behind our back
  std::map<int, std::set<std::uint64_t>> pages;
  for (const Event& event : log) {
    if (const auto* l = std::get_if<Linked>(&event)) {
      if (l->directory) return stage(*disk_);
      whole.insert(l->path);
    } else if (const auto* u = std::get_if<Unlinked>(&event)) {
      whole.insert(u->path);
    } else if (const auto* r = std::get_if<Renamed>(&event)) {
      whole.insert(r->from);
      whole.insert(r->to);
    } else if (const auto* w = std::get_if<Written>(&event)) {
      for (std::uint64_t p = w->offset / kPage; p * kPage < w->offset + w->octets.size(); ++p)
        pages[w->file].insert(p);
    } else if (const auto* s = std::get_if<Resized>(&event)) {
      pages[s->file];
    }
  }
  for (const std::string& path : whole) {
    auto node = names.find(path);
    if (node != names.end()) {
      put_file(path, disk_->octets(node->second.file));
    } else {
      (void)::unlink(full(path).c_str());
    }
  }
  for (const auto& [file, touched] : pages) {
    auto path = paths.find(file);
    if (path == paths.end() || whole.contains(path->second)) continue;
    std::string_view octets = disk_->octets(file);
    Fd fd(::open(full(path->second).c_str(), O_WRONLY | O_CLOEXEC));
    must(static_cast<bool>(fd));
    set_size(fd.get(), octets.size());
    for (std::uint64_t p : touched) {
      if (p * kPage < octets.size()) write_at(fd.get(), octets.substr(p * kPage, kPage), p * kPage);
    }
  }
}

}  // namespace power
