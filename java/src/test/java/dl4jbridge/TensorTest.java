package dl4jbridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class TensorTest {
    /** Memory by its address alone, as Python has it. */
    private static final class Floats extends FloatPointer {
        Floats(long address, long length) {
            super((Pointer) null);
            this.address = address;
            this.limit = length;
            this.capacity = length;
        }
    }

    private static final class Bytes extends BytePointer {
        Bytes(long address, long length) {
            super((Pointer) null);
            this.address = address;
            this.limit = length;
            this.capacity = length;
        }
    }

    private static void writeNumbers(Tensor tensor) {
        Floats memory = new Floats(tensor.address(), tensor.length());
        for (int i = 0; i < tensor.length(); i++) {
            assertEquals(0, memory.get(i));
            memory.put(i, i + 1);
        }
    }

    @Test
    void theAddressIsWhereTheFirstElementLies() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        assertArrayEquals(new long[] {2, 3, 4}, tensor.shape());
        assertEquals(24, tensor.length());
        assertEquals("FLOAT", tensor.dataType());
        writeNumbers(tensor);
        for (int b = 0; b < 2; b++) {
            for (int c = 0; c < 3; c++) {
                for (int t = 0; t < 4; t++) {
                    assertEquals(1 + b + 2 * (c + 3 * t), tensor.array().getFloat(b, c, t));
                }
            }
        }
        tensor.array().putScalar(new int[] {1, 2, 3}, -5);
        assertEquals(-5, new Floats(tensor.address(), 24).get(23));
    }

    @Test
    void theOrderDecidesTheStrides() {
        Tensor f = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        assertEquals("f", f.order());
        assertArrayEquals(new long[] {1, 2, 6}, f.strides());
        Tensor c = Tensor.zeros("FLOAT", "c", new long[] {2, 3, 4});
        assertEquals("c", c.order());
        assertArrayEquals(new long[] {12, 4, 1}, c.strides());
        writeNumbers(c);
        assertEquals(1 + 12 + 2 * 4 + 3, c.array().getFloat(1, 2, 3));
    }

    @Test
    void theFirstStepsAreAViewOfTheSameMemory() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        writeNumbers(tensor);
        for (int steps = 1; steps <= 4; steps++) {
            INDArray first = tensor.firstSteps(steps);
            assertArrayEquals(new long[] {2, 3, steps}, first.shape());
            assertEquals(tensor.address(), Tensor.of(first).address());
            for (int i = 0; i < first.length(); i++) {
                assertEquals(i + 1, first.getFloat(i % 2, i / 2 % 3, i / 6));
            }
        }
        tensor.array().putScalar(new int[] {1, 2, 0}, -5);
        assertEquals(-5, tensor.firstSteps(1).getFloat(1, 2, 0));
        assertSame(tensor.array(), tensor.firstSteps(4));
    }

    @Test
    void moreStepsThanThereAreAreRefused() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        assertThrows(RuntimeException.class, () -> tensor.firstSteps(5));
    }

    @Test
    void theAddressOfAViewContainsItsOffset() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        Tensor view = Tensor.of(
                tensor.array().get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(1, 3)));
        assertEquals(tensor.address() + 6 * Float.BYTES, view.address());
    }

    @Test
    void unsignedBytesAreOneByteEach() {
        Tensor tensor = Tensor.zeros("UBYTE", "c", new long[] {256});
        assertEquals("UBYTE", tensor.dataType());
        Bytes memory = new Bytes(tensor.address(), 256);
        for (int i = 0; i < 256; i++) {
            assertEquals(0, memory.get(i));
            memory.put(i, (byte) i);
        }
        for (int i = 0; i < 256; i++) {
            assertEquals(i, tensor.array().getInt(i));
        }
    }

    @Test
    void liesOutsideTheWorkspaceInWhichItIsMade() {
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace("TensorTest")) {
            assertTrue(Nd4j.create(3).isAttached(), "the workspace is not active");
            assertFalse(Tensor.zeros("FLOAT", "f", new long[] {3}).array().isAttached());
            assertTrue(workspace.isScopeActive());
        }
    }

    @Test
    void closingFreesTheMemoryOnce() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3});
        Tensor other = Tensor.zeros("FLOAT", "f", new long[] {2, 3});
        assertNotEquals(tensor.address(), other.address());
        tensor.close();
        assertTrue(tensor.array().wasClosed());
        tensor.close();
        assertFalse(other.array().wasClosed());
    }

    @Test
    void closingAViewLeavesItsOwnerAlone() {
        Tensor tensor = Tensor.zeros("FLOAT", "f", new long[] {2, 3, 4});
        Tensor.of(tensor.firstSteps(2)).close();
        assertFalse(tensor.array().wasClosed());
        writeNumbers(tensor);
        assertEquals(24, tensor.array().getFloat(1, 2, 3));
    }
}
