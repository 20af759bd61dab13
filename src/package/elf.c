/* SPDX-License-Identifier: Apache-2.0
 *
 * A reader of ELF files, through pread and with every offset checked: the file may be damaged, or made to do harm.
 */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"

#define PHDRS_MAX 256
#define DYNAMIC_MAX ((size_t) 1 << 16)
#define STRINGS_MAX ((size_t) 64 << 20)
#define VERSIONS_MAX ((size_t) 1 << 20)
#define NEEDED_MAX 4096
#define NAME_MAX_BYTES 4096

typedef struct reader
{
  int fd;
  uint64_t size;
  Elf64_Phdr ph[PHDRS_MAX];
  size_t ph_n;
  char *strings;
  size_t strings_n;
  const char *reason;
} reader;

static int
get (reader *r, void *p, size_t n, uint64_t at)
{
  if (at > r->size || r->size - at < n)
    return -1;
  for (size_t done = 0; done < n;)
    {
      ssize_t k = pread (r->fd, (char *) p + done, n - done, (off_t) (at + done));
      if (k < 0 && errno == EINTR)
        continue;
      if (k <= 0)
        return -1;
      done += (size_t) k;
    }
  return 0;
}

static lf_elf_result
damaged (reader *r, const char *reason)
{
  r->reason = reason;
  return LF_ELF_DAMAGED;
}

/* Section names live in a string table of their own; only the few bytes of each name are wanted. */
static lf_elf_result
read_sections (reader *r, const Elf64_Ehdr *h, lf_elf *out)
{
  if (h->e_shoff == 0 || h->e_shnum == 0)
    return LF_ELF_OK; /* stripped of its section headers: fine for a loader */
  if (h->e_shentsize != sizeof (Elf64_Shdr))
    return damaged (r, "its section headers have an impossible size");
  Elf64_Shdr *sh = malloc (h->e_shnum * sizeof *sh);
  if (!sh)
    return LF_ELF_NOMEM;
  if (get (r, sh, h->e_shnum * sizeof *sh, h->e_shoff) != 0)
    {
      free (sh);
      return damaged (r, "it is cut off before its section headers");
    }
  char *names = NULL;
  size_t names_n = 0;
  if (h->e_shstrndx < h->e_shnum && sh[h->e_shstrndx].sh_size < VERSIONS_MAX)
    {
      names_n = sh[h->e_shstrndx].sh_size;
      names = malloc (names_n + 1);
      if (names && get (r, names, names_n, sh[h->e_shstrndx].sh_offset) == 0)
        names[names_n] = '\0';
      else
        names_n = 0;
    }
  for (size_t i = 0; i < h->e_shnum; i++)
    {
      const char *name = sh[i].sh_name < names_n ? names + sh[i].sh_name : "";
      bool drop = sh[i].sh_type == SHT_SYMTAB || strncmp (name, ".debug_", 7) == 0 || strncmp (name, ".zdebug_", 8) == 0
                  || (strcmp (name, ".strtab") == 0 && !(sh[i].sh_flags & SHF_ALLOC));
      if (drop && sh[i].sh_type != SHT_NOBITS && sh[i].sh_size <= r->size && sh[i].sh_offset <= r->size - sh[i].sh_size)
        out->strippable_bytes += (int64_t) sh[i].sh_size;
    }
  free (names);
  free (sh);
  return LF_ELF_OK;
}

/* File offset of a loaded address; false when no segment holds it. */
static bool
offset_of (const reader *r, uint64_t addr, uint64_t *at, uint64_t *left)
{
  for (size_t i = 0; i < r->ph_n; i++)
    {
      const Elf64_Phdr *p = &r->ph[i];
      if (p->p_type == PT_LOAD && addr >= p->p_vaddr && addr - p->p_vaddr < p->p_filesz)
        {
          *at = p->p_offset + (addr - p->p_vaddr);
          *left = p->p_filesz - (addr - p->p_vaddr);
          return *at >= p->p_offset;
        }
    }
  return false;
}

static lf_elf_result
read_segments (reader *r, const Elf64_Ehdr *h, lf_elf *out)
{
  if (h->e_phnum == 0)
    return LF_ELF_OK;
  if (h->e_phentsize != sizeof (Elf64_Phdr) || h->e_phnum > PHDRS_MAX)
    return damaged (r, "its program headers have an impossible size");
  if (get (r, r->ph, h->e_phnum * sizeof (Elf64_Phdr), h->e_phoff) != 0)
    return damaged (r, "it is cut off before its program headers");
  r->ph_n = h->e_phnum;
  for (size_t i = 0; i < r->ph_n; i++)
    {
      const Elf64_Phdr *p = &r->ph[i];
      if (p->p_type == PT_LOAD && (p->p_offset > r->size || r->size - p->p_offset < p->p_filesz))
        return damaged (r, "it is cut off: a segment lies beyond its end");
      if (p->p_type == PT_LOAD && ((p->p_vaddr ^ p->p_offset) & 4095))
        out->misaligned = true;
      if (p->p_type == PT_INTERP && !out->interpreter && p->p_filesz > 1 && p->p_filesz < NAME_MAX_BYTES)
        {
          out->interpreter = calloc (1, p->p_filesz + 1);
          if (!out->interpreter)
            return LF_ELF_NOMEM;
          if (get (r, out->interpreter, p->p_filesz, p->p_offset) != 0)
            return damaged (r, "the name of its loader cannot be read");
        }
    }
  return LF_ELF_OK;
}

/* A string of the dynamic string table, copied; NULL when it is none. */
static char *
string_at (const reader *r, uint64_t at)
{
  size_t n = at < r->strings_n ? strnlen (r->strings + at, r->strings_n - at) : 0;
  return n && n < NAME_MAX_BYTES ? lf_strndup (r->strings + at, n) : NULL;
}

static lf_elf_result
read_strings (reader *r, uint64_t addr, uint64_t n)
{
  uint64_t at, left;
  if (n == 0 || n > STRINGS_MAX || !offset_of (r, addr, &at, &left) || left < n)
    return damaged (r, "its table of names is not inside a segment");
  r->strings = malloc (n + 1);
  if (!r->strings)
    return LF_ELF_NOMEM;
  if (get (r, r->strings, n, at) != 0)
    return damaged (r, "its table of names cannot be read");
  r->strings[n] = '\0';
  r->strings_n = n;
  return LF_ELF_OK;
}

static lf_elf_result
add_need (reader *r, lf_elf *out, uint64_t library, uint64_t version)
{
  if (out->needs_n >= NEEDED_MAX)
    return damaged (r, "it needs too many symbol versions");
  lf_elf_need *v = realloc (out->needs, (out->needs_n + 1) * sizeof *v);
  if (!v)
    return LF_ELF_NOMEM;
  out->needs = v;
  lf_elf_need n = { .library = string_at (r, library), .version = string_at (r, version) };
  if (!n.library || !n.version)
    {
      free (n.library);
      free (n.version);
      return damaged (r, "a symbol version it needs has no name");
    }
  v[out->needs_n++] = n;
  return LF_ELF_OK;
}

static lf_elf_result
read_versions (reader *r, uint64_t addr, uint64_t count, lf_elf *out)
{
  uint64_t at, left;
  if (count > NEEDED_MAX || !offset_of (r, addr, &at, &left))
    return damaged (r, "its table of symbol versions is not inside a segment");
  lf_elf_result res = LF_ELF_OK;
  uint64_t steps = 0;
  for (uint64_t i = 0; i < count && res == LF_ELF_OK; i++)
    {
      Elf64_Verneed need;
      if (get (r, &need, sizeof need, at) != 0)
        return damaged (r, "its table of symbol versions is cut off");
      uint64_t aux_at = at + need.vn_aux;
      for (unsigned k = 0; k < need.vn_cnt && res == LF_ELF_OK; k++)
        {
          Elf64_Vernaux aux;
          if (++steps > NEEDED_MAX || get (r, &aux, sizeof aux, aux_at) != 0)
            return damaged (r, "its table of symbol versions is cut off");
          res = add_need (r, out, need.vn_file, aux.vna_name);
          if (aux.vna_next == 0)
            break;
          aux_at += aux.vna_next;
        }
      if (need.vn_next == 0)
        break;
      at += need.vn_next;
    }
  return res;
}

typedef struct dynamic { uint64_t strtab, strsz, verneed, verneed_n, soname, rpath, runpath, needed[NEEDED_MAX]; size_t needed_n; } dynamic;

static lf_elf_result
take_dynamic (reader *r, const dynamic *d, lf_elf *out)
{
  lf_elf_result res = read_strings (r, d->strtab, d->strsz);
  for (size_t i = 0; i < d->needed_n && res == LF_ELF_OK; i++)
    {
      LF_CLEANUP (lf_freep) char *name = string_at (r, d->needed[i]);
      if (!name)
        res = damaged (r, "a library it needs has no name");
      else if (lf_strv_add (&out->needed, name) != 0)
        res = LF_ELF_NOMEM;
    }
  if (res == LF_ELF_OK && d->soname)
    out->soname = string_at (r, d->soname);
  if (res == LF_ELF_OK && (d->runpath || d->rpath))
    out->runpath = string_at (r, d->runpath ? d->runpath : d->rpath);
  if (res == LF_ELF_OK && d->verneed_n)
    res = read_versions (r, d->verneed, d->verneed_n, out);
  free (r->strings);
  r->strings = NULL;
  return res;
}

static lf_elf_result
read_dynamic (reader *r, lf_elf *out)
{
  const Elf64_Phdr *p = NULL;
  for (size_t i = 0; i < r->ph_n; i++)
    if (r->ph[i].p_type == PT_DYNAMIC)
      p = &r->ph[i];
  if (!p)
    return LF_ELF_OK; /* a static program */
  out->dynamic = true;
  if (p->p_filesz > DYNAMIC_MAX)
    return damaged (r, "its dynamic section has an impossible size");
  dynamic *d = calloc (1, sizeof *d);
  Elf64_Dyn *v = malloc (p->p_filesz + 1);
  if (!d || !v)
    {
      free (d);
      free (v);
      return LF_ELF_NOMEM;
    }
  lf_elf_result res = get (r, v, p->p_filesz, p->p_offset) == 0 ? LF_ELF_OK : damaged (r, "its dynamic section is cut off");
  for (size_t i = 0; res == LF_ELF_OK && i < p->p_filesz / sizeof *v && v[i].d_tag != DT_NULL; i++)
    switch (v[i].d_tag)
      {
      case DT_STRTAB: d->strtab = v[i].d_un.d_ptr; break;
      case DT_STRSZ: d->strsz = v[i].d_un.d_val; break;
      case DT_VERNEED: d->verneed = v[i].d_un.d_ptr; break;
      case DT_VERNEEDNUM: d->verneed_n = v[i].d_un.d_val; break;
      case DT_SONAME: d->soname = v[i].d_un.d_val; break;
      case DT_RPATH: d->rpath = v[i].d_un.d_val; break;
      case DT_RUNPATH: d->runpath = v[i].d_un.d_val; break;
      case DT_NEEDED:
        if (d->needed_n < NEEDED_MAX)
          d->needed[d->needed_n++] = v[i].d_un.d_val;
        break;
      default: break;
      }
  if (res == LF_ELF_OK)
    res = take_dynamic (r, d, out);
  free (d);
  free (v);
  return res;
}

static lf_elf_result
read_all (reader *r, bool sizes_only, lf_elf *out)
{
  Elf64_Ehdr h = { 0 };
  size_t have = r->size < sizeof h ? (size_t) r->size : sizeof h;
  const unsigned char *id = (const unsigned char *) &h;
  if (have < 20 || get (r, &h, have, 0) != 0 || memcmp (id, ELFMAG, SELFMAG) != 0)
    return LF_ELF_NOT;
  out->bits = id[EI_CLASS] == ELFCLASS64 ? 64 : 32;
  out->little_endian = id[EI_DATA] == ELFDATA2LSB;
  int lo = out->little_endian ? 0 : 1;
  out->type = id[16 + lo] | id[17 - lo] << 8;
  out->machine = id[18 + lo] | id[19 - lo] << 8;
  if (out->bits != 64 || !out->little_endian)
    return LF_ELF_OK; /* no machine of Lambda's: its name is all that is wanted */
  if (have < sizeof h)
    return damaged (r, "it is cut off inside its header");
  lf_elf_result res = read_sections (r, &h, out);
  if (res == LF_ELF_OK && !sizes_only)
    res = read_segments (r, &h, out);
  if (res == LF_ELF_OK && !sizes_only)
    res = read_dynamic (r, out);
  return res;
}

lf_elf_result
lf_elf_read (int fd, bool sizes_only, lf_elf *out, const char **reason)
{
  *out = (lf_elf){ 0 };
  *reason = "";
  struct stat st;
  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode))
    return LF_ELF_NOT;
  reader *r = calloc (1, sizeof *r);
  if (!r)
    return LF_ELF_NOMEM;
  r->fd = fd;
  r->size = (uint64_t) st.st_size;
  lf_elf_result res = read_all (r, sizes_only, out);
  if (res == LF_ELF_DAMAGED)
    *reason = r->reason;
  free (r->strings);
  free (r);
  return res;
}

void
lf_elf_fini (lf_elf *e)
{
  if (!e)
    return;
  free (e->soname);
  free (e->runpath);
  free (e->interpreter);
  lf_strv_fini (&e->needed);
  for (size_t i = 0; i < e->needs_n; i++)
    {
      free (e->needs[i].library);
      free (e->needs[i].version);
    }
  free (e->needs);
  *e = (lf_elf){ 0 };
}

const char *
lf_elf_machine_name (int machine)
{
  switch (machine)
    {
    case EM_X86_64: return "x86_64";
    case EM_AARCH64: return "arm64";
    case EM_386: return "i386 (32-bit)";
    case EM_ARM: return "arm (32-bit)";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390x";
    case EM_RISCV: return "riscv";
    default: return "unknown";
    }
}
