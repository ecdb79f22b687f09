// Checks a Lucid log with the packages of Go's checksum database, which share no code with Lucid.
//
// Usage: sumdb FOLDER VKEY SIZE... - opens FOLDER/checkpoint with sumdb/note, then proves with sumdb/tlog,
// from the tiles in FOLDER, that entries are in the tree, that each SIZE is the size of a beginning of
// it, and that the root of each SIZE is the one in the block of that size.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// lucidPath is the place of a tile in a tlog-tiles folder: like tlog's own paths, without the height.
func lucidPath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

// folderTiles is a tlog.TileReader over a folder. It takes a full tile where a partial one is gone.
type folderTiles struct{ folder string }

func (f folderTiles) Height() int { return height }

func (f folderTiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folderTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(f.folder, lucidPath(tile)))
		if errors.Is(err, os.ErrNotExist) && tile.W < 1<<height {
			full := tile
			full.W = 1 << height
			data, err = os.ReadFile(filepath.Join(f.folder, lucidPath(full)))
		}
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s: too short", lucidPath(tile))
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

type tree struct {
	size int64
	root tlog.Hash
}

// open verifies a note and returns the lines of its text.
func open(path string, verifiers note.Verifiers) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	opened, err := note.Open(data, verifiers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return strings.Split(opened.Text, "\n"), nil
}

func parseTree(size, root string) (tree, error) {
	number, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return tree{}, err
	}
	hash, err := base64.StdEncoding.DecodeString(root)
	if err != nil || len(hash) != tlog.HashSize {
		return tree{}, fmt.Errorf("not a root: %q", root)
	}
	var t tree
	t.size = number
	copy(t.root[:], hash)
	return t, nil
}

// blockRoots maps the size of each block to its root.
func blockRoots(folder string, verifiers note.Verifiers) (map[int64]tlog.Hash, error) {
	roots := map[int64]tlog.Hash{}
	err := filepath.WalkDir(filepath.Join(folder, "block"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		lines, err := open(path, verifiers)
		if err != nil {
			return err
		}
		t, err := parseTree(strings.TrimPrefix(lines[4], "size "), strings.TrimPrefix(lines[5], "root "))
		roots[t.size] = t.root
		return err
	})
	return roots, err
}

func check(folder, vkey string, sizes []string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	verifiers := note.VerifierList(verifier)
	lines, err := open(filepath.Join(folder, "checkpoint"), verifiers)
	if err != nil {
		return err
	}
	if lines[0] != verifier.Name() {
		return fmt.Errorf("origin %q is not the name of the key", lines[0])
	}
	head, err := parseTree(lines[1], lines[2])
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: head.size, Hash: head.root}, folderTiles{folder})
	if root, err := tlog.TreeHash(head.size, hashes); err != nil || root != head.root {
		return fmt.Errorf("root of the tiles: %v, %v", root, err)
	}
	if err := checkEntries(folder, head, hashes); err != nil {
		return err
	}
	roots, err := blockRoots(folder, verifiers)
	if err != nil {
		return err
	}
	for _, text := range sizes {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		root, known := roots[size]
		if !known {
			return fmt.Errorf("no block of size %d", size)
		}
		proof, err := tlog.ProveTree(head.size, size, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, head.size, head.root, size, root); err != nil {
			return fmt.Errorf("consistency with %d: %w", size, err)
		}
	}
	fmt.Printf("%d entries, %d blocks, %d earlier trees\n", head.size, len(roots), len(sizes))
	return nil
}

// checkEntries proves the inclusion of each entry of each bundle; of a large log, of about a thousand, evenly
// spread, for tlog reads its tiles again for each proof.
func checkEntries(folder string, head tree, hashes tlog.HashReader) error {
	index, step := int64(0), head.size/1000+1
	for index < head.size {
		width := head.size - index
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: index >> height, W: int(width)}
		data, err := os.ReadFile(filepath.Join(folder, lucidPath(tile)))
		if err != nil {
			return err
		}
		for ; width > 0; width, index = width-1, index+1 {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s: cut", lucidPath(tile))
			}
			length := int(binary.BigEndian.Uint16(data))
			entry := data[2 : 2+length]
			data = data[2+length:]
			if index%step != 0 {
				continue
			}
			proof, err := tlog.ProveRecord(head.size, index, hashes)
			if err != nil {
				return err
			}
			if err := tlog.CheckRecord(proof, head.size, head.root, index, tlog.RecordHash(entry)); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
		if len(data) > 0 {
			return fmt.Errorf("%s: bytes after the last entry", lucidPath(tile))
		}
	}
	return nil
}
