// maildrop: makes the empty mail drop of one user of this host, and nothing else. The one program of the
// suite that runs with root's rights (owner root, group mta, mode 4510); the dispatcher starts it.
//
//     maildrop LOGIN
//
// makes /var/mail/LOGIN, owned by that user, group mail, mode 0660. It takes no option, reads nothing that
// its caller gives it but that one word, and prints nothing. The exit status is 0 for made, 67 for nobody who
// gets a mail drop, 75 for not now, 77 for refused: something is not as it must be.
//
// The threats, each with the line that answers it, which is marked with the same letter:
//
// clang-format off
//  A  Somebody else calls it: its mode lets group mta alone execute it, and that group has no members.
//  B  A name that leads elsewhere: letters, digits and "_-." only, no dot or hyphen first; so no '/', no "..".
//  C  A link, or a file that is there: linkat takes no name that is taken, in a directory that was looked at.
//  D  A directory that others may change: it has to be root's, of group mail, and not writable for everybody.
//  E  A mail drop for root or a user of the system: only numbers that people have, and only by their own name.
//  F  The caller's descriptors, environment, umask and signal mask: closed, emptied and set. Its limits can
//     make this fail, no more.
//  G  The caller's signals while we work: real and saved ids become root's, and only root may signal those.
//  H  A mail drop half made: it is a file without a name until it is the user's; what fails leaves nothing.
//  I  A user database, or a disk, that never answers: an alarm ends us.
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

#ifndef MAILDROP_DIRECTORY
#define MAILDROP_DIRECTORY "/var/mail"
#endif
constexpr const char* kDirectory = MAILDROP_DIRECTORY;
constexpr uid_t kLeastUser = 1000, kMostUser = 59999;  // Debian policy 9.2.2: those of people
constexpr size_t kLongestName = 32;                    // useradd(8)
constexpr unsigned kSeconds = 20;

enum Exit { kMade = 0, kNoUser = 67, kNotNow = 75, kRefused = 77 };  // sysexits(3)

bool is_name(const char* name) {  // B
  size_t length = strlen(name);
  constexpr const char* kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  constexpr const char* kMore = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  constexpr const char* kLock = ".lock";  // the drop of "jane.lock" would be the lock of jane's
  bool is_lock = length >= strlen(kLock) && strcmp(name + length - strlen(kLock), kLock) == 0;
  return length >= 1 && length <= kLongestName && strchr(kFirst, name[0]) != nullptr &&
         strspn(name, kMore) == length && !is_lock;
}

/// Nothing of the caller's stays: descriptors, environment, mask of signals, identity.
bool become_root_alone() {
  if (close_range(0, ~0U, 0) != 0) return false;  // F
  for (int fd = 0; fd < 3; ++fd)
    if (open("/dev/null", O_RDWR) != fd) return false;
  if (clearenv() != 0) return false;  // F
  sigset_t none;
  sigemptyset(&none);
  signal(SIGALRM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(077);
  return setresuid(0, 0, 0) == 0;  // G
}

/// The directory, if it is as it must be; -1 otherwise.
int open_directory(gid_t mail) {
  int directory = open(kDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);  // C
  if (directory < 0) return -1;
  struct stat st;
  bool good =
      fstat(directory, &st) == 0 && st.st_uid == 0 && st.st_gid == mail && (st.st_mode & S_IWOTH) == 0;  // D
  if (good) return directory;
  close(directory);
  return -1;
}

/// The file has no name before it is all that it shall be.
Exit make(int directory, const char* name, uid_t owner, gid_t mail) {
  int drop = openat(directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0);
  if (drop < 0) return errno == ENOSPC || errno == EDQUOT ? kNotNow : kRefused;
  bool whole = fchmod(drop, 0660) == 0 && fchown(drop, owner, mail) == 0 && fsync(drop) == 0;  // H
  char itself[32];
  snprintf(itself, sizeof itself, "/proc/self/fd/%d", drop);
  if (!whole || linkat(AT_FDCWD, itself, directory, name, AT_SYMLINK_FOLLOW) != 0) return kNotNow;  // C
  fsync(directory);
  return kMade;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !is_name(argv[1])) return kRefused;
  if (geteuid() != 0 || !become_root_alone()) return kRefused;
  alarm(kSeconds);  // I
  errno = 0;
  const group* mail = getgrnam("mail");
  if (mail == nullptr) return errno == 0 || errno == ENOENT ? kRefused : kNotNow;
  gid_t mail_gid = mail->gr_gid;
  errno = 0;
  const passwd* user = getpwnam(argv[1]);
  if (user == nullptr) return errno == 0 || errno == ENOENT ? kNoUser : kNotNow;
  if (strcmp(user->pw_name, argv[1]) != 0) return kNoUser;                    // E
  if (user->pw_uid < kLeastUser || user->pw_uid > kMostUser) return kNoUser;  // E
  uid_t owner = user->pw_uid;
  int directory = open_directory(mail_gid);
  if (directory < 0) return kRefused;
  return make(directory, argv[1], owner, mail_gid);
}
