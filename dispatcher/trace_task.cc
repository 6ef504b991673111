#include "dispatcher/trace_task.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "lib/id.h"
#include "lib/story.h"
#include "lib/text.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::messages::CommandOutput;

namespace {

struct LogFile {
  Fd fd;
  std::string path;
  std::time_t changed = 0;
  ino_t inode = 0;
};

Result<LogFile> open_log(const std::string& path) {
  LogFile file;
  file.fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  file.path = path;
  struct stat st {};
  if (!file.fd || fstat(file.fd.get(), &st) != 0)
    return permanent(fmt::format("{} cannot be read", path), errno);
  file.changed = st.st_mtime;
  file.inode = st.st_ino;
  return file;
}

/// Old files, the oldest first: the stamp in the name sorts by age.
Result<std::vector<std::string>> old_logs(const std::string& directory) {
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return permanent(fmt::format("{} cannot be read", directory), errno);
  std::vector<std::string> names;
  while (dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (name.starts_with("post.office.log.")) names.push_back(fmt::format("{}/{}", directory, name));
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

/// All of them, those that the query can be about. The newest is opened first: if it is renamed in between,
/// it is met again under its new name, and not lost.
Result<std::vector<LogFile>> open_logs(const std::string& directory, std::time_t from) {
  auto newest = open_log(directory + "/post.office.log");
  if (!newest && newest.error().sys_errno != ENOENT) return tl::unexpected(newest.error());
  auto names = old_logs(directory);
  if (!names) return tl::unexpected(names.error());
  std::vector<LogFile> files;
  for (const std::string& name : *names) {
    auto file = open_log(name);
    if (!file && file.error().sys_errno == ENOENT) continue;  // removed by age in this moment
    if (!file) return tl::unexpected(file.error());
    bool twice = newest && file->inode == newest->inode;
    if (!twice && file->changed >= from) files.push_back(std::move(*file));
  }
  if (newest) files.push_back(std::move(*newest));
  return files;
}

/// As the log begins a line: "time=2026-11-26T02:25:00"; all lines that sort before it are older.
std::string line_begin_at(std::time_t when) {
  tm utc{};
  char text[40] = "";
  if (gmtime_r(&when, &utc) != nullptr) strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &utc);
  return text;
}

/// Nothing that was logged before concerns the query.
std::time_t begin_of(const TraceQuery& query) {
  std::time_t from = 0;
  if (query.days > 0) from = std::time(nullptr) - static_cast<std::time_t>(query.days) * 86400;
  auto id = query.by == TraceQuery::By::kId ? po::MessageId::parse(query.texts[0]) : std::nullopt;
  // A session may be a day old before it brings the message; one that is older lacks its first lines here.
  if (id) from = std::max(from, static_cast<std::time_t>(id->made_ms() / 1000) - 86400);
  return from;
}

}  // namespace

/// All files as one text, read from its beginning any number of times.
class TraceTask::Reader {
 public:
  explicit Reader(std::vector<LogFile> files) : files_(std::move(files)) {}

  void rewind() {
    file_ = 0;
    next_file(0);
  }

  /// Calls `take` for each line that ends in the next piece, without its end; one that is longer than any of
  /// ours is passed over. False: that was all.
  template <class Take>
  Result<bool> read_piece(const Take& take) {
    if (file_ >= files_.size()) return false;
    const LogFile& file = files_[file_];
    ssize_t n = ::pread(file.fd.get(), piece_.data(), piece_.size(), at_);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0) return permanent(fmt::format("{} cannot be read", file.path), errno);
    if (n == 0) {
      next_file(file_ + 1);
      return true;
    }
    at_ += n;
    take_lines(std::string_view(piece_.data(), static_cast<std::size_t>(n)), take);
    return true;
  }

 private:
  template <class Take>
  void take_lines(std::string_view rest, const Take& take) {
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (pending_.empty()) {
        take(rest.substr(0, end));
      } else {
        take(pending_.append(rest.substr(0, end)));
        pending_.clear();
      }
      rest.remove_prefix(end + 1);
    }
    if (pending_.size() + rest.size() <= 2 * po::kMostLogLine) pending_.append(rest);
  }
  void next_file(std::size_t n) {
    file_ = n;
    at_ = 0;
    pending_.clear();
  }

  std::vector<LogFile> files_;
  std::size_t file_ = 0;
  off_t at_ = 0;
  std::string pending_;
  std::string piece_ = std::string(TraceTask::kPiece, '\0');
};

TraceTask::TraceTask(std::string log_directory, TraceQuery query)
    : directory_(std::move(log_directory)), query_(std::move(query)), filter_(query_) {}

TraceTask::~TraceTask() = default;

Result<void> TraceTask::open() {
  std::time_t from = begin_of(query_);
  auto files = open_logs(directory_, from);
  if (!files) return tl::unexpected(files.error());
  if (from > 0) begin_ = line_begin_at(from);
  reader_ = std::make_unique<Reader>(std::move(*files));
  return {};
}

Result<bool> TraceTask::read_piece(CommandOutput& out) {
  return reader_->read_piece([&](std::string_view line) {
    if (line < begin_) return;
    if (phase_ == Phase::kLearn) {
      filter_.learn(line);
    } else {
      take(line, out.out);
    }
  });
}

void TraceTask::take(std::string_view line, std::string& out) {
  auto record = filter_.take(line);
  if (!record) return;
  ++lines_;
  std::string text = query_.json ? po::story_json(*record) : po::story_line(*record);
  if (query_.limit > 0) return keep(std::move(text));
  out += text;
}

void TraceTask::keep(std::string text) {
  kept_octets_ += text.size();
  kept_.push_back(std::move(text));
  while (kept_.size() > query_.limit || (kept_octets_ > kMostKept && kept_.size() > 1)) {
    dropped_ = kept_.size() <= query_.limit;
    kept_octets_ -= kept_.front().size();
    kept_.pop_front();
  }
}

po::CommandTask::Step TraceTask::print_kept(CommandOutput& out) {
  while (!kept_.empty() && out.out.size() < kPiece) {
    out.out += kept_.back();
    kept_.pop_back();
  }
  return kept_.empty() ? finish(out) : Step::kMore;
}

po::CommandTask::Step TraceTask::step(CommandOutput& out) {
  if (phase_ == Phase::kPrint) return print_kept(out);
  if (phase_ == Phase::kOpen) {
    if (auto opened = open(); !opened) return refuse(out, opened.error());
    phase_ = Phase::kLearn;
    return Step::kMore;
  }
  auto more = read_piece(out);
  if (!more) return refuse(out, more.error());
  if (*more) return Step::kMore;
  reader_->rewind();
  phase_ = phase_ == Phase::kLearn ? Phase::kTake : Phase::kPrint;
  return Step::kMore;
}

po::CommandTask::Step TraceTask::refuse(CommandOutput& out, const po::Error& error) const {
  bool denied = error.sys_errno == EACCES || error.sys_errno == EPERM;
  out.err += fmt::format("post.office: {}\n", error.text);
  if (error.sys_errno == ENOSYS)
    out.err += "post.office: without Landlock in the kernel, only trace on the command line reads the log\n";
  if (denied) out.err += "post.office: trace is for root and for the owner of the log files\n";
  out.exit_code = denied ? po::kExitNotAllowed : po::kExitRefused;
  return Step::kEnd;
}

po::CommandTask::Step TraceTask::finish(CommandOutput& out) const {
  if (filter_.overflowed()) {
    out.err +=
        fmt::format("post.office: more than {} messages or sessions: some lines are left out; see --days\n",
                    TraceFilter::kMost);
  }
  if (dropped_) out.err += "post.office: the lines are too long for so many: the oldest are left out\n";
  if (lines_ > 0) return Step::kEnd;
  std::string names;
  for (const std::string& text : query_.texts) {
    if (!names.empty()) names += " or ";
    names += po::for_terminal(text);
  }
  return fail(out, po::kExitRefused, fmt::format("the log in {} says nothing about {}", directory_, names));
}

std::unique_ptr<po::CommandTask> make_trace_task(const std::string& log_directory,
                                                 const std::vector<std::string>& words) {
  auto query = parse_trace_words(words);
  if (query) return std::make_unique<TraceTask>(log_directory, std::move(*query));
  std::string why = fmt::format("post.office: trace: {}\n{}\n", query.error().text, kTraceUsage);
  return std::make_unique<po::ReadyAnswer>(CommandOutput{{}, std::move(why), true, po::kExitUsage});
}

}  // namespace dispatcher
